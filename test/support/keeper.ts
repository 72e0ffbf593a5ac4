// Runs a job of the keeper as a process of its own, which a test can kill. Prints each event, then what came of it, in a
// line of JSON each.
//   node test/support/keeper.ts '{"job":"collect","root":…}'
import { collect, collectNow, empty, type Order, undo } from "../../components/care/keeper/collect.ts";

type Job = { readonly job: "collect" | "collectNow" | "empty"; readonly user?: number } & Order;

const { job, user, ...order } = JSON.parse(process.argv[2] ?? "") as Job | (Omit<Job, "job"> & { job: string });

if (user !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(user);
  process.setuid?.(user);
}
const tell = (event: object) => console.log(JSON.stringify(event));
const jobs: Record<string, () => Promise<unknown>> = {
  collect: () => collect(order, tell),
  collectNow: () => collectNow(order, tell),
  empty: () => empty(order.root),
  undo: () => undo(order.root, job.slice("undo ".length)),
};
console.log(JSON.stringify({ result: await jobs[job.split(" ")[0] ?? ""]?.() }));
