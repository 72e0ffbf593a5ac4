// Says what a cloud goes on keeping, and charging for, after a stack was taken down: tsx scripts/kept.ts STACK
import { stateOf } from "./pulumi";

/** Dollars a month for a GiB, about; AWS by region. */
const price: Readonly<Record<string, number>> = {
  "digitalocean:index/volume:Volume": 0.1,
  "aws:ebs/volume:Volume": 0.095,
};

const [stack = ""] = process.argv.slice(2);
for (const { type, id = "", outputs = {} } of stateOf(stack).resources) {
  const dollars = price[type];
  if (dollars === undefined) continue;
  const size = Number(outputs["size"]);
  const cost = `about $${(size * dollars).toFixed(2)} a month`;
  console.log(
    `Kept: volume ${id} with all that was pushed, ${String(size)} GiB, ${cost}; taken again by: make up STACK=${stack}; deleted by: make purge STACK=${stack}`,
  );
}
