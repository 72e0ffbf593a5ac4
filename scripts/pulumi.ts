import { execFileSync } from "node:child_process";

/** Runs `pulumi ARGS` and reads what it prints as JSON. What it says on stderr goes on to the terminal. */
export function pulumiJson(args: string[]): unknown {
  const output = execFileSync("pulumi", ["--non-interactive", ...args], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
    maxBuffer: 64 * 1024 * 1024,
  });
  return JSON.parse(output);
}
