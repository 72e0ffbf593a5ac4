// Tries different wrong passwords for a user, evenly over the time, and prints how they were answered, as JSON.
//   node test/support/guesser.ts URL USER RATE SECONDS
// A separate program, so that it can run at another address.
import * as https from "node:https";

import { basicAuthorization } from "../../cli/client.ts";

const [url = "", user = "", rate = "", seconds = ""] = process.argv.slice(2);
const agent = new https.Agent({ keepAlive: true, maxSockets: 16, rejectUnauthorized: false });
const answers: Record<string, number> = {};
const total = Number(rate) * Number(seconds);
const began = Date.now();
let asked = 0;
let answered = 0;

function note(answer: string): void {
  answers[answer] = (answers[answer] ?? 0) + 1;
  answered++;
}

function guess(): void {
  const authorization = basicAuthorization(user, `wrong-${String(process.pid)}-${String(asked++)}`);
  https
    .get(`${url}/v2/`, { agent, headers: { Authorization: authorization } }, (response) => {
      response.resume();
      response.once("end", () => note(String(response.statusCode)));
    })
    .once("error", (error) => note(error.message));
}

const timer = setInterval(() => {
  const due = Math.min(total, Math.round(((Date.now() - began) / 1000) * Number(rate)));
  while (asked < due) guess();
  if (answered === total) {
    clearInterval(timer);
    agent.destroy();
    console.log(JSON.stringify(answers));
  }
}, 10);
