import { ownerLabel } from "../../labels.ts";
import { messageOf, UserError } from "../../userError.ts";
import { type SshLogin, SshSession, Unreachable } from "./sshSession.ts";

/** How long a machine may take to become reachable after its creation, and then to finish cloud-init. */
const bootSeconds = 15 * 60;

/** The minimum of free space on the data disk, MiB: a full disk causes many kinds of errors later. */
const leastFree = 64;

export type Verb = "create" | "update" | "delete";

/** The steps by name. A resource stands for the fact that its step was done. */
const steps = {
  HostKey: (step: HostKeyStep, verb: Verb, before?: HostKeyStep) =>
    verb === "delete" ? Promise.resolve() : replaceHostKey(step, before?.hostKey ?? step.bootKey),
  Prepared: (step: PrepareStep, verb: Verb) => (verb === "delete" ? release(step) : prepare(step, verb === "create")),
};

export type StepName = keyof typeof steps;

/**
 * @param inputs The inputs of the resource.
 * @param before Its previous inputs, in an update.
 */
export async function perform(name: StepName, verb: Verb, inputs: unknown, before?: unknown): Promise<void> {
  await steps[name](inputs as HostKeyStep & PrepareStep, verb, before as HostKeyStep | undefined);
}

export interface HostKeyStep extends Omit<SshLogin, "hostKeys"> {
  /** The public host key that the user data gave the machine. */
  readonly bootKey: string;
  /** The new host key, public and private. */
  readonly hostKey: string;
  readonly privateHostKey: string;
}

export interface PrepareStep extends Omit<SshLogin, "hostKeys"> {
  readonly hostKey: string;
}

/**
 * Gives the machine its own host key. A machine that already has it, from an interrupted run, keeps it.
 *
 * @param known The previous host key. The boot key is trusted only once, as others may have read it since.
 */
async function replaceHostKey(step: HostKeyStep, known: string): Promise<void> {
  const { hostKey, privateHostKey } = step;
  const either = { ...step, hostKeys: [known, hostKey] };
  const shown = await withSession(either, bootSeconds, async (session) => {
    if (session.hostKey !== hostKey) await session.succeed("sudo /usr/local/sbin/replace-host-key", privateHostKey);
    return session.hostKey;
  });
  // The SSH server takes a moment to read the new key.
  for (let tries = 30, now = shown; now !== hostKey; tries--) {
    if (tries === 0) throw new UserError(`${step.address} still uses its previous host key`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    now = await withSession(either, 60, (session) => Promise.resolve(session.hostKey));
  }
}

/** Waits until the machine has booted, mounts its data disk and checks that the engine answers. */
async function prepare(step: PrepareStep, created: boolean): Promise<void> {
  await withSession({ ...step, hostKeys: [step.hostKey] }, bootSeconds, async (session) => {
    // A failed boot can't be repaired; what counts is whether the machine can be used now.
    const boot = await session.run("cloud-init status --wait", "", bootSeconds);
    try {
      await session.succeed("sudo /usr/local/sbin/mount-data", "", 600);
      await checkSpace(session);
      await session.succeed("sudo systemctl start docker.service", "", 600);
      await session.succeed("docker version");
    } catch (error) {
      if (boot.code === 0) throw error;
      const log = await session.run("tail -n 30 /var/log/cloud-init-output.log");
      const why = messageOf(error);
      throw new Error(`cloud-init failed: ${why}\nThe end of cloud-init's log:\n${log.output}`, {
        cause: error,
      });
    }
    if (!created) return;
    if (boot.code !== 0)
      console.warn(
        `${step.address} is ready, but cloud-init finished with warnings. To see them: cloud-init status --long`,
      );
    await removeOrphans(session);
  });
}

async function checkSpace(session: SshSession): Promise<void> {
  const free = await session.succeed(". /etc/registry-data && df --output=avail -B 1M $FOLDER | tail -n 1");
  if (Number(free) >= leastFree) return;
  throw new Error(`the data disk is full: ${free.trim()} MiB are left. To grow it, increase host.dataSize`);
}

/** Stops the containers and unmounts the data disk, if the machine can still be reached. */
async function release(step: PrepareStep): Promise<void> {
  try {
    await withSession({ ...step, hostKeys: [step.hostKey] }, 20, (session) =>
      session.succeed("sudo /usr/local/sbin/release-data", "", 120),
    );
  } catch (error) {
    // The machine is about to be deleted, so a failure must not stop the run.
    console.warn(`${messageOf(error)}; continuing without it`);
  }
}

/** Containers and networks of ours on a new machine were left by an interrupted run. */
async function removeOrphans(session: SshSession): Promise<void> {
  const ours = `--quiet --filter label=${ownerLabel}`;
  await session.succeed(`docker ps --all ${ours} | xargs --no-run-if-empty docker rm --force --volumes`);
  await session.succeed(`docker network ls ${ours} | xargs --no-run-if-empty docker network rm`);
}

async function withSession<T>(login: SshLogin, seconds: number, work: (session: SshSession) => Promise<T>): Promise<T> {
  const session = await SshSession.open(login, seconds).catch(rethrow);
  try {
    return await work(session).catch(rethrow);
  } finally {
    session.close();
  }
}

/** Throws the error without its stack trace, which the dynamic provider would print. */
function rethrow(error: unknown): never {
  const isShutOut = error instanceof Unreachable && error.isSilent;
  const hint = isShutOut ? " (is your network listed in host.sshFrom?)" : "";
  throw new UserError(messageOf(error) + hint);
}
