import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

import { run } from "../support/run.ts";
import { settings } from "../support/settings.ts";

/** In place of the proxy: the lines of /answers are what it says, one after the other. */
const proxy = `
nginx() { true; }
wget() {
  echo asked >>/asked
  sed -n "$(wc -l </asked)p" /answers
}`;

describe("whoever loads a configuration", function () {
  this.timeout(60_000);

  it("goes by the first answer that names it, as a worker that is about to end may still give the one before", async () => {
    const script = `mkdir -p /incoming /etc/proxy/before
echo after >/incoming/revision
: >/incoming/nginx.conf
ln -s before /etc/proxy/current
printf '%s\\n' before after before >/answers
${proxy}
(${readFileSync("components/proxy/loadConfiguration.sh", "utf8")})
readlink /etc/proxy/current`;
    const options = ["--rm", "--network", "none", "--entrypoint", "sh", settings.images.proxy];
    const { code, output } = await run("docker", ["run", ...options, "-euc", script]);
    assert.deepEqual([code, output.trim().split("\n").at(-1)], [0, "after"], output);
  });
});
