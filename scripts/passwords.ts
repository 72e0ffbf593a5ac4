// Prints the password of each user of a stack: tsx scripts/passwords.ts STACK
import { liveOutputsOf } from "./live";

const [stack = ""] = process.argv.slice(2);
const { usernames, passwords } = liveOutputsOf(stack);
console.error("These are secret: keep them out of logs and off shared screens.");
for (const name of usernames) console.log(`${name}: ${passwords[name] ?? ""}`);
