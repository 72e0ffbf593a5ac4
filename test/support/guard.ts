// Watches the disk of a data folder as a process of its own, which a test can kill. Prints what is told, in a line of
// JSON each, and once it has looked for the first time, "watching".
//   node test/support/guard.ts '{"root":…,"warning":80,"stop":90,"last":1073741824}'
// With `capacity`, it looks once at a disk of that many bytes with nothing but this folder.
import { setTimeout as sleep } from "node:timers/promises";

import { guard, type State, type Watch } from "../../components/care/keeper/guard.ts";
import { diskOf } from "./storage.ts";

interface Order extends Watch {
  readonly user?: number;
  readonly capacity?: number;
}

const { user, capacity, ...watch } = JSON.parse(process.argv[2] ?? "") as Order;

if (user !== undefined) {
  process.setgroups?.([]);
  process.setgid?.(user);
  process.setuid?.(user);
}
const tell = (event: object) => console.log(JSON.stringify(event));
if (capacity !== undefined) await guard(watch, undefined, tell, () => diskOf(watch.root, capacity));
else {
  let state: State | undefined;
  for (;;) {
    const isFirst = state === undefined;
    state = await guard(watch, state, tell);
    if (isFirst) console.log("watching");
    await sleep(state.pause);
  }
}
