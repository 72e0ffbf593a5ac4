import ssh2, { type Client, type ConnectConfig } from "ssh2";

import { messageOf } from "../../userError.ts";

/** Where and as which user to sign in, and which machine must answer. */
export interface SshLogin {
  readonly address: string;
  readonly user: string;
  /** The client's private key, in OpenSSH format. */
  readonly privateKey: string;
  /** The accepted host keys, in OpenSSH format: `ssh-ed25519 AAAA…`. */
  readonly hostKeys: readonly string[];
}

export interface Outcome {
  readonly code: number | null;
  /** Standard output and standard error as they came, trimmed. */
  readonly output: string;
}

/** Another machine answered. Only a connection request was sent to it. */
export class WrongHostKey extends Error {}

/** The machine did not answer, or refused the login, until the time was up. */
export class Unreachable extends Error {
  /** Whether nothing came back at all, as behind a firewall. */
  get isSilent(): boolean {
    const { level, code } = this.cause as { readonly level?: string; readonly code?: string };
    return level === "client-timeout" || code === "ETIMEDOUT" || code === "EHOSTUNREACH";
  }
}

const secondsPerTry = 15;

/** A connection to a machine that runs commands one after the other. */
export class SshSession {
  private readonly client: Client;
  /** The host key that the machine proved to have; one of those in the login. */
  readonly hostKey: string;

  private constructor(client: Client, hostKey: string) {
    this.client = client;
    this.hostKey = hostKey;
  }

  /**
   * Signs in. Retries until the machine has booted.
   *
   * @param seconds How long it tries.
   * @throws WrongHostKey immediately; Unreachable, with the last reason, when the time is up.
   */
  static async open(login: SshLogin, seconds: number): Promise<SshSession> {
    const end = Date.now() + seconds * 1000;
    for (;;) {
      try {
        return await SshSession.connect(login);
      } catch (error) {
        if (error instanceof WrongHostKey) throw error;
        if (Date.now() > end) {
          const why = messageOf(error);
          const after = `after ${String(seconds)} s`;
          throw new Unreachable(`${login.address} can't be reached over SSH as ${login.user} ${after}: ${why}`, {
            cause: error,
          });
        }
        await new Promise((resolve) => setTimeout(resolve, 2000));
      }
    }
  }

  private static connect({ address, user, privateKey, hostKeys }: SshLogin): Promise<SshSession> {
    return new Promise((resolve, reject) => {
      const client = new ssh2.Client();
      let answered: string | undefined;
      let other = "";
      client.once("ready", () => resolve(new SshSession(client, answered ?? "")));
      // This listener stays, as a connection may also break after its last use.
      client.on("error", (error) => {
        client.destroy();
        const wrong = `${address} answers with another host key than expected (${other}); nothing was sent to it`;
        reject(other === "" ? error : new WrongHostKey(wrong));
      });
      client.once("close", () => reject(new Error("the connection was closed")));
      client.connect({
        host: address,
        username: user,
        privateKey,
        readyTimeout: secondsPerTry * 1000,
        keepaliveInterval: 15_000,
        algorithms: { serverHostKey: [...new Set(hostKeys.map(algorithmOf))] } as ConnectConfig["algorithms"] & object,
        hostVerifier: (key: Buffer) => {
          answered = hostKeys.find((known) => blobOf(known).equals(key));
          if (answered === undefined) other = `ssh-ed25519 ${key.toString("base64")}`;
          return answered !== undefined;
        },
      });
    });
  }

  /**
   * @param input The command's standard input.
   * @param seconds How long it may run.
   */
  run(command: string, input = "", seconds = 120): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer);
        this.client.off("close", broken);
        settle();
      };
      const fail = (why: string) => end(() => reject(new Error(`${why} \`${command}\``)));
      const broken = () => fail("the connection broke during");
      const timer = setTimeout(() => {
        fail(`no answer within ${String(seconds)} s from`);
        this.client.destroy();
      }, seconds * 1000);
      this.client.once("close", broken);
      this.client.exec(command, (error, channel) => {
        if (error) return end(() => reject(error));
        let output = "";
        let code: number | null = null;
        channel.on("data", (chunk: Buffer) => (output += chunk.toString()));
        channel.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
        channel.on("exit", (status: number | null) => (code = status));
        channel.on("close", () => end(() => resolve({ code, output: output.trim() })));
        channel.end(input);
      });
    });
  }

  /** Runs a command that must succeed. */
  async succeed(command: string, input = "", seconds = 120): Promise<string> {
    const { code, output } = await this.run(command, input, seconds);
    if (code !== 0) throw new Error(output || `\`${command}\` ended with ${String(code)}`);
    return output;
  }

  close(): void {
    this.client.end();
  }
}

function algorithmOf(key: string): string {
  return key.split(" ")[0] ?? "";
}

function blobOf(key: string): Buffer {
  return Buffer.from(key.split(" ")[1] ?? "", "base64");
}
