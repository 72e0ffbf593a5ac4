import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, Socket, type TcpSocketConnectOpts } from "node:net";

import ssh2, { type Connection, type Server, type ServerChannel } from "ssh2";

import { type SshLogin, SshSession, WrongHostKey } from "../../../components/hosts/machine/sshSession.ts";
import { perform } from "../../../components/hosts/machine/steps.ts";
import { UserError } from "../../../components/userError.ts";
import { deploy } from "../../../deploy.ts";
import { find, providerOf, record } from "../../support/mocks.ts";
import { computed } from "../../support/providers.ts";
import { hosts, settings } from "../../support/settings.ts";
import { sshKeyPair } from "../../support/sshKeys.ts";

const keys = {
  client: sshKeyPair(),
  boot: sshKeyPair(),
  host: sshKeyPair(),
  other: sshKeyPair(),
};

/** The outcome of a command: exit code and output; or the connection breaks, or nothing comes at all. */
type Answer = { readonly code?: number; readonly output?: string } | "break" | "nothing";

/** A machine with a real SSH server, which answers commands as a test says. */
class Machine {
  /** How often somebody tried to sign in. */
  attempts = 0;
  /** The commands, and their inputs. */
  readonly commands: string[] = [];
  readonly inputs: string[] = [];
  private readonly server: Server;
  private readonly clients = new Set<Connection>();

  private readonly answers: (command: string, input: string) => Answer;

  constructor(hostKey: { readonly private: string }, answers: (command: string, input: string) => Answer = () => ({})) {
    this.answers = answers;
    this.server = new ssh2.Server({ hostKeys: [hostKey.private] }, (client) => this.serve(client));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  async start(): Promise<this> {
    this.server.listen(0, "127.0.0.1");
    await once(this.server, "listening");
    return this;
  }

  stop(): void {
    this.server.close();
    // Also those of a failed test.
    for (const client of this.clients) client.end();
  }

  private serve(client: Connection): void {
    this.clients.add(client);
    client.on("error", () => undefined); // Of a client that went away.
    client.on("authentication", (context) => {
      this.attempts++;
      const isOurs = context.method === "publickey" && context.key.data.equals(blobOf(keys.client.public));
      if (isOurs && context.username === "deploy") context.accept();
      else context.reject(["publickey"]);
    });
    client.on("session", (accept) => {
      accept().on("exec", (acceptExec, _, { command }) => {
        const channel = acceptExec();
        let input = "";
        channel.on("data", (chunk: Buffer) => (input += chunk.toString()));
        channel.on("end", () => this.answer(client, channel, command, input));
      });
    });
  }

  private answer(client: Connection, channel: ServerChannel, command: string, input: string): void {
    this.commands.push(command);
    this.inputs.push(input);
    const answer = this.answers(command, input);
    if (answer === "nothing") return;
    if (answer === "break") {
      client.end();
      return;
    }
    const { code = 0, output = "" } = answer;
    channel.stderr.write(output.slice(0, 3));
    channel.write(output.slice(3));
    channel.exit(code);
    channel.end();
  }
}

function blobOf(publicKey: string): Buffer {
  return Buffer.from(publicKey.split(" ")[1] ?? "", "base64");
}

/** Runs something while time passes ten times as fast. */
async function hurried<T>(work: () => Promise<T>): Promise<T> {
  const { setTimeout: set } = globalThis;
  const { now } = Date;
  const start = now();
  globalThis.setTimeout = ((later: () => void, ms: number) => set(later, ms / 10)) as typeof setTimeout;
  Date.now = () => start + (now() - start) * 10;
  try {
    return await work();
  } finally {
    globalThis.setTimeout = set;
    Date.now = now;
  }
}

/** The warnings on the console meanwhile. */
async function warningsOf(work: () => Promise<void>): Promise<string[]> {
  const { warn } = console;
  const warnings: string[] = [];
  console.warn = (message: string) => warnings.push(message);
  try {
    await work();
    return warnings;
  } finally {
    console.warn = warn;
  }
}

/** What answers at port 22 of every address; undefined: nothing. */
let reached: { readonly port: number } | undefined;
const running: Machine[] = [];

async function start(...args: ConstructorParameters<typeof Machine>): Promise<Machine> {
  const machine = await new Machine(...args).start();
  running.push(machine);
  return (reached = machine);
}

const login = {
  address: "machine.example",
  user: "deploy",
  privateKey: keys.client.private,
  hostKeys: [keys.boot.public, keys.host.public],
} satisfies SshLogin;

describe("over SSH", () => {
  const connect = Reflect.get(Socket.prototype, "connect") as (this: Socket, ...args: unknown[]) => Socket;

  before(() => {
    Socket.prototype.connect = function (this: Socket, options: TcpSocketConnectOpts, ...rest: unknown[]) {
      const local = { host: "127.0.0.1", port: reached?.port ?? 1 };
      return connect.call(this, options.port === 22 ? local : options, ...rest);
    } as typeof Socket.prototype.connect;
  });

  after(() => {
    Socket.prototype.connect = connect;
  });

  afterEach(() => {
    for (const machine of running.splice(0)) machine.stop();
    reached = undefined;
  });

  describe("a session", () => {
    it("runs a command with its input, and returns its output and exit code", async () => {
      const machine = await start(keys.host, (_, input) => ({ code: 3, output: ` got ${input}\n` }));
      const session = await SshSession.open(login, 1);
      assert.deepEqual(await session.run("cat", "a\nb"), { code: 3, output: "got a\nb" });
      assert.deepEqual(await session.run("cat"), { code: 3, output: "got" });
      assert.deepEqual(machine.commands, ["cat", "cat"]);
      session.close();
    });

    it("accepts a machine with one of the given host keys, and says which", async () => {
      for (const key of [keys.boot, keys.host]) {
        await start(key);
        const session = await SshSession.open(login, 1);
        assert.equal(session.hostKey, key.public);
        session.close();
      }
    });

    it("refuses a machine with another host key, and sends it nothing, not even the user's name", async () => {
      const machine = await start(keys.other);
      await assert.rejects(SshSession.open(login, 60), (error: Error) => {
        assert.ok(error instanceof WrongHostKey);
        const shown = keys.other.public.split(" ").slice(0, 2).join(" ");
        assert.equal(
          error.message,
          `machine.example answers with another host key than expected (${shown}); nothing was sent to it`,
        );
        return true;
      });
      assert.deepEqual([machine.attempts, machine.commands], [0, []]);
    });

    it("begins when the machine has booted, however long that takes", async () => {
      const machine = await start(keys.host);
      reached = undefined;
      await hurried(async () => {
        const opened = SshSession.open(login, 30);
        setTimeout(() => (reached = machine), 5000);
        (await opened).close();
      });
    });

    it("fails when the time is up, with the reason of the last try", async () => {
      await assert.rejects(SshSession.open(login, 0), {
        message: "machine.example can't be reached over SSH as deploy after 0 s: connect ECONNREFUSED 127.0.0.1:1",
      });
      await start(keys.host);
      await assert.rejects(SshSession.open({ ...login, privateKey: keys.other.private }, 0), {
        message:
          "machine.example can't be reached over SSH as deploy after 0 s: All configured authentication methods failed",
      });
    });

    it("fails at a command that was cut off, and at every later one", async () => {
      await start(keys.host, () => "break");
      const session = await SshSession.open(login, 1);
      await assert.rejects(session.run("upgrade", "", 1), { message: "the connection broke during `upgrade`" });
      await assert.rejects(session.run("true", "", 1));
    });

    it("waits for a command as long as it may run, and no longer", async () => {
      await start(keys.host, () => "nothing");
      const session = await SshSession.open(login, 1);
      await assert.rejects(session.run("sleep", "", 0.2), { message: "no answer within 0.2 s from `sleep`" });
    });

    it("fails at a command that must succeed and doesn't, with its output", async () => {
      await start(keys.host, (command) => ({
        code: command === "true" ? 0 : 1,
        output: command === "ls" ? "none\n" : "",
      }));
      const session = await SshSession.open(login, 1);
      assert.equal(await session.succeed("true"), "");
      await assert.rejects(session.succeed("ls"), { message: "none" });
      await assert.rejects(session.succeed("false"), { message: "`false` ended with 1" });
      session.close();
    });
  });

  describe("a machine's host key", () => {
    const { address, user, privateKey } = login;
    const step = {
      ...{ address, user, privateKey },
      bootKey: keys.boot.public,
      hostKey: keys.host.public,
      privateHostKey: keys.host.private,
    };
    const replace = "sudo /usr/local/sbin/replace-host-key";

    for (const [verb, known, before] of [
      ["create", keys.boot, undefined],
      ["update", keys.other, { ...step, hostKey: keys.other.public }],
    ] as const) {
      it(`is replaced by the final one, which is shown from then on (${verb})`, async () => {
        const next = await start(keys.host);
        const machine = await start(known, () => {
          reached = next;
          return {};
        });
        await perform("HostKey", verb, step, before);
        assert.deepEqual([machine.commands, machine.inputs], [[replace], [keys.host.private]]);
        assert.deepEqual([next.attempts > 0, next.commands], [true, []]);
      });
    }

    it("is never again that of the boot, which others may have read", async () => {
      const machine = await start(keys.boot);
      await assert.rejects(perform("HostKey", "update", step, step), /another host key than expected/);
      assert.deepEqual([machine.attempts, machine.commands], [0, []]);
    });

    it("is left alone if it is already its own", async () => {
      const machine = await start(keys.host);
      await perform("HostKey", "create", step);
      assert.deepEqual(machine.commands, []);
    });

    it("is refused if it is neither of the two, and nothing is sent", async () => {
      const machine = await start(keys.other);
      await assert.rejects(perform("HostKey", "create", step), /another host key than expected/);
      assert.deepEqual([machine.attempts, machine.commands], [0, []]);
    });

    it("fails to be replaced with what the machine says", async () => {
      await start(keys.boot, () => ({ code: 1, output: "sudo: a password is required\n" }));
      await assert.rejects(perform("HostKey", "create", step), (error: Error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.message, "sudo: a password is required");
        return true;
      });
    });

    it("fails the step if it is still that of the boot", async () => {
      await start(keys.boot);
      await assert.rejects(
        hurried(() => perform("HostKey", "create", step)),
        { message: "machine.example still uses its previous host key" },
      );
    });

    it("is not touched when the machine is deleted", () => perform("HostKey", "delete", step));
  });

  describe("a machine", () => {
    const { address, user, privateKey } = login;
    const step = { address, user, privateKey, hostKey: keys.host.public };
    const ours = "--quiet --filter label=private-registry.stack";
    const boot = "cloud-init status --wait";
    const mount = "sudo /usr/local/sbin/mount-data";
    const space = ". /etc/registry-data && df --output=avail -B 1M $FOLDER | tail -n 1";
    const ready = [boot, mount, space, "sudo systemctl start docker.service", "docker version"];

    /** A machine where all is well except for some commands. */
    const startWith = (answers: Readonly<Record<string, Answer>> = {}) =>
      start(keys.host, (command) => answers[command] ?? (command === space ? { output: "  51200\n" } : {}));

    it("is waited for, gets its data disk and its engine, and loses what an interrupted run left there", async () => {
      const machine = await startWith();
      await perform("Prepared", "create", step);
      assert.deepEqual(machine.commands, [
        ...ready,
        `docker ps --all ${ours} | xargs --no-run-if-empty docker rm --force --volumes`,
        `docker network ls ${ours} | xargs --no-run-if-empty docker network rm`,
      ]);
    });

    it("keeps what runs on it when it is only checked again", async () => {
      const machine = await startWith();
      await perform("Prepared", "update", step);
      assert.deepEqual(machine.commands, ready);
    });

    it("is used with a warning if its boot had warnings", async () => {
      await startWith({ [boot]: { code: 2, output: "status: done" } });
      const told = await warningsOf(() => perform("Prepared", "create", step));
      assert.deepEqual(told, [
        "machine.example is ready, but cloud-init finished with warnings. To see them: cloud-init status --long",
      ]);
    });

    it("fails after a failed boot, with the error of its data disk and the end of cloud-init's log", async () => {
      const machine = await startWith({
        [boot]: { code: 1, output: "status: error" },
        [mount]: { code: 1, output: "the data disk /dev/sdf is not attached\n" },
        "tail -n 30 /var/log/cloud-init-output.log": { output: "E: Unable to locate package docker.io\n" },
      });
      await assert.rejects(perform("Prepared", "create", step), (error: Error) => {
        assert.ok(error instanceof UserError);
        assert.equal(
          error.message,
          "cloud-init failed: the data disk /dev/sdf is not attached\n" +
            "The end of cloud-init's log:\nE: Unable to locate package docker.io",
        );
        assert.equal(error.stack, error.message);
        return true;
      });
      assert.ok(!machine.commands.some((command) => command.includes("docker rm")));
    });

    for (const [what, answers, message] of [
      [
        "has another's disk",
        { [mount]: { code: 1, output: "holds something that is not ours" } },
        "holds something that is not ours",
      ],
      [
        "has a full disk",
        { [space]: { output: "   63\n" } },
        "the data disk is full: 63 MiB are left. To grow it, increase host.dataSize",
      ],
      ["has an engine that doesn't answer", { "docker version": { code: 1 } }, "`docker version` ended with 1"],
    ] as const) {
      it(`fails if it booted well and ${what}, without a mention of cloud-init`, async () => {
        const machine = await startWith(answers);
        await assert.rejects(perform("Prepared", "create", step), { message });
        assert.ok(!machine.commands.some((command) => /cloud-init-output|docker rm/.test(command)));
      });
    }

    it("is not prepared while it shows the host key that it booted with", async () => {
      const machine = await start(keys.boot);
      await assert.rejects(perform("Prepared", "create", step), /another host key than expected/);
      assert.deepEqual([machine.attempts, machine.commands], [0, []]);
    });

    describe("that is deleted", () => {
      const takenDown = () => warningsOf(() => perform("Prepared", "delete", step));

      it("first releases its data disk", async () => {
        const machine = await startWith();
        assert.deepEqual(await takenDown(), []);
        assert.deepEqual(machine.commands, ["sudo /usr/local/sbin/release-data"]);
      });

      it("blocks nothing if it can't, or if it is another machine", async () => {
        await startWith({ "sudo /usr/local/sbin/release-data": { code: 1, output: "umount: target is busy" } });
        assert.deepEqual(await takenDown(), ["umount: target is busy; continuing without it"]);
        const other = await start(keys.other);
        assert.match(
          (await takenDown()).join(),
          /^machine\.example answers with another host key .*; continuing without it$/,
        );
        assert.deepEqual([other.attempts, other.commands], [0, []]);
      });

      it("blocks nothing if it is dead", async () => {
        assert.deepEqual(await hurried(takenDown), [
          "machine.example can't be reached over SSH as deploy after 20 s: connect ECONNREFUSED 127.0.0.1:1; continuing without it",
        ]);
      });

      it("is reported with the setting that may shut us out, if nothing comes back", async () => {
        const silent = createServer().listen(0, "127.0.0.1");
        await once(silent, "listening");
        reached = silent.address() as AddressInfo;
        try {
          const [warning = ""] = await hurried(takenDown);
          assert.match(warning, /Timed out.* \(is your network listed in host\.sshFrom\?\); continuing without it$/);
        } finally {
          silent.close();
        }
      });
    });
  });

  describe("a step on a machine", () => {
    interface Inputs extends Record<string, unknown> {
      readonly step: string;
      readonly machineId: string;
    }
    let provider: ReturnType<typeof providerOf<Inputs>>;
    let inputs: Inputs;

    before(async () => {
      const { resources } = await record(() => deploy({ ...settings, host: hosts.digitalocean }), computed);
      const type = "pulumi-nodejs:dynamic/privateregistry:Prepared";
      provider = providerOf(find(resources, type, "private-registry-test-host-machine-prepared"));
      const { address, user, privateKey } = login;
      inputs = {
        step: "Prepared",
        machineId: "4711",
        address,
        user,
        privateKey,
        hostKey: keys.host.public,
        dataSize: 50,
      };
    });

    it("runs from its text in the state, and has the machine's id", async () => {
      const machine = await start(keys.host, () => ({ output: "51200" }));
      assert.deepEqual(await provider.create(inputs), { id: "4711", outs: inputs });
      assert.equal(machine.commands.length, 7);
      const larger = { ...inputs, dataSize: 100 };
      assert.deepEqual(await provider.update("4711", inputs, larger), { outs: larger });
      assert.equal(machine.commands.length, 12);
      await provider.delete("4711", larger);
      assert.deepEqual(machine.commands.slice(12), ["sudo /usr/local/sbin/release-data"]);
    });

    it("runs again with its earlier inputs: a boot key that was replaced is no longer accepted", async () => {
      const machine = await start(keys.boot);
      const step = { bootKey: keys.boot.public, hostKey: keys.host.public, privateHostKey: keys.host.private };
      const known = { ...inputs, ...step, step: "HostKey" };
      await assert.rejects(provider.update("4711", known, known), /another host key than expected/);
      assert.equal(machine.attempts, 0);
    });

    it("fails with a sentence, and without a stack trace that Pulumi would print", async () => {
      await start(keys.other);
      await assert.rejects(provider.create(inputs), (error: Error) => {
        assert.match(error.message, /^machine\.example answers with another host key/);
        assert.equal(error.stack, error.message);
        return true;
      });
    });

    it("runs again if an input changed, and is replaced for another machine, once the old one is released", async () => {
      const diffOf = (changed: object) => provider.diff("4711", inputs, { ...inputs, ...changed });
      const deleteBeforeReplace = true;
      assert.deepEqual(await diffOf({}), { changes: false, replaces: [], deleteBeforeReplace });
      for (const changed of [
        { __provider: "new" },
        { dataSize: 100 },
        { address: "192.0.2.2" },
        { hostKey: "other" },
        { privateKey: "other" },
      ])
        assert.deepEqual(await diffOf(changed), { changes: true, replaces: [], deleteBeforeReplace });
      assert.deepEqual(await diffOf({ machineId: "4712", dataSize: 100 }), {
        changes: true,
        replaces: ["machineId"],
        deleteBeforeReplace,
      });
    });
  });
});
