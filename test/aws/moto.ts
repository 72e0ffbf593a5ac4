import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { cached } from "../support/cache.ts";
import { freePort } from "../support/checkout.ts";
import { succeed } from "../support/run.ts";

const requirements = "test/aws/moto.txt";

const call = `
import boto3, json, sys
service, operation = sys.argv[1:]
answer = getattr(boto3.client(service), operation)(**json.load(sys.stdin))
json.dump(answer, sys.stdout, default=str)
`;

/** moto: a server with the API of AWS, which keeps its resources in memory. */
export class Moto {
  static async start(): Promise<Moto> {
    const [packages, port] = await Promise.all([install(), freePort()]);
    const moto = new Moto(packages, port);
    await moto.untilReady();
    return moto;
  }

  /** The environment in which every AWS client uses this server. */
  readonly env: NodeJS.ProcessEnv;
  private readonly server: ChildProcess;
  private readonly packages: string;

  private constructor(packages: string, port: number) {
    this.packages = packages;
    this.env = {
      AWS_ENDPOINT_URL: `http://127.0.0.1:${String(port)}`,
      AWS_REGION: "eu-central-1",
      AWS_DEFAULT_REGION: "eu-central-1",
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_SESSION_TOKEN: undefined,
      AWS_PROFILE: undefined,
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    };
    const options = { env: this.pythonEnv, stdio: "ignore" } as const;
    this.server = spawn("python3", ["-m", "moto.server", "-H", "127.0.0.1", "-p", String(port)], options);
  }

  private get pythonEnv(): NodeJS.ProcessEnv {
    return { ...process.env, ...this.env, PYTHONPATH: this.packages };
  }

  private async untilReady(): Promise<void> {
    const url = `${String(this.env["AWS_ENDPOINT_URL"])}/moto-api/`;
    for (let tries = 0; tries < 300; tries++) {
      if (
        await fetch(url).then(
          ({ ok }) => ok,
          () => false,
        )
      )
        return;
      await sleep(100);
    }
    this.server.kill();
    throw new Error("moto does not answer");
  }

  /**
   * Calls the API by Amazon's own client: `call("ec2", "describe_volumes")`.
   *
   * @param env Somebody else's credentials, and another server that has the API.
   */
  async call(
    service: string,
    operation: string,
    parameters: object = {},
    env: NodeJS.ProcessEnv = {},
  ): Promise<Record<string, unknown>> {
    const options = { env: { ...this.pythonEnv, ...env }, input: JSON.stringify(parameters) };
    const answer = await succeed("python3", ["-c", call, service, operation], options);
    return JSON.parse(answer) as Record<string, unknown>;
  }

  async stop(): Promise<void> {
    const ended = once(this.server, "exit");
    if (this.server.kill()) await ended;
  }
}

/** Returns the folder of moto. It is installed there once for a version of Python. */
async function install(): Promise<string> {
  const hash = createHash("sha256")
    .update(readFileSync(requirements))
    .update(await succeed("python3", ["-VV"]));
  return cached(`moto-${hash.digest("hex").slice(0, 12)}`, async (path) => {
    await succeed("python3", [
      ...["-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes"],
      ...["--target", path, "--requirement", requirements],
    ]);
  });
}
