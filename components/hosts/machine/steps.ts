import { ownerLabel } from "../../labels.ts";
import { messageOf, UserError } from "../../userError.ts";
import { type SshLogin, SshSession, Unreachable } from "./sshSession.ts";

/** How long a machine may take to be reached after its creation, and then to the end of cloud-init. */
const bootSeconds = 15 * 60;

/** How much must be free on the data disk, MiB: a full one would show as errors of every kind later on. */
const leastFree = 64;

export type Verb = "create" | "update" | "delete";

/** The steps by name. What is created, updated or deleted is the fact that the step was done. */
const steps = {
  HostKey: (step: HostKeyStep, verb: Verb, before?: HostKeyStep) =>
    verb === "delete" ? Promise.resolve() : replaceHostKey(step, before?.hostKey ?? step.bootKey),
  Prepared: (step: PrepareStep, verb: Verb) => (verb === "delete" ? release(step) : prepare(step, verb === "create")),
};

export type StepName = keyof typeof steps;

/**
 * @param inputs Those of the resource.
 * @param before Those that it had, where it is updated.
 */
export async function perform(name: StepName, verb: Verb, inputs: unknown, before?: unknown): Promise<void> {
  await steps[name](inputs as HostKeyStep & PrepareStep, verb, before as HostKeyStep | undefined);
}

export interface HostKeyStep extends Omit<SshLogin, "hostKeys"> {
  /** The host key that the user data gave the machine, public. */
  readonly bootKey: string;
  /** The one that it is to have, public and private. */
  readonly hostKey: string;
  readonly privateHostKey: string;
}

export interface PrepareStep extends Omit<SshLogin, "hostKeys"> {
  readonly hostKey: string;
}

/**
 * Gives the machine its own host key; a machine that has it already, from a run that was cut short, keeps it.
 *
 * @param known The one that it had before: that of the boot is good for once, as others may have read it since.
 */
async function replaceHostKey(step: HostKeyStep, known: string): Promise<void> {
  const { hostKey, privateHostKey } = step;
  const either = { ...step, hostKeys: [known, hostKey] };
  const shown = await withSession(either, bootSeconds, async (session) => {
    if (session.hostKey !== hostKey) await session.succeed("sudo /usr/local/sbin/replace-host-key", privateHostKey);
    return session.hostKey;
  });
  // Who listens there takes a moment to read the new one.
  for (let tries = 30, now = shown; now !== hostKey; tries--) {
    if (tries === 0) throw new UserError(`${step.address} goes on showing the host key that it had before`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    now = await withSession(either, 60, (session) => Promise.resolve(session.hostKey));
  }
}

/** Waits for the machine to have booted, mounts its data disk and sees the engine answer. */
async function prepare(step: PrepareStep, created: boolean): Promise<void> {
  await withSession({ ...step, hostKeys: [step.hostKey] }, bootSeconds, async (session) => {
    // A boot that failed has failed for good; what counts is whether the machine can be used now.
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
      throw new Error(`the machine did not boot well: ${why}\nThe end of cloud-init's log:\n${log.output}`, {
        cause: error,
      });
    }
    if (!created) return;
    if (boot.code !== 0) console.warn(`${step.address} is ready, and its boot left remarks: cloud-init status --long`);
    await removeOrphans(session);
  });
}

async function checkSpace(session: SshSession): Promise<void> {
  const free = await session.succeed(". /etc/registry-data && df --output=avail -B 1M $FOLDER | tail -n 1");
  if (Number(free) >= leastFree) return;
  throw new Error(`the data disk is full: ${free.trim()} MiB are left. A larger host.dataSize makes it grow`);
}

/** Ends what runs and lets go of the data disk, where the machine can still be reached. */
async function release(step: PrepareStep): Promise<void> {
  try {
    await withSession({ ...step, hostKeys: [step.hostKey] }, 20, (session) =>
      session.succeed("sudo /usr/local/sbin/release-data", "", 120),
    );
  } catch (error) {
    // It is on its way out: it must not be in the way.
    console.warn(`${messageOf(error)}; going on without it`);
  }
}

/** Whatever of ours is on a machine that is just being taken into use was left by a run that was cut short. */
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

/** Without the stack, which the dynamic provider would print. */
function rethrow(error: unknown): never {
  const isShutOut = error instanceof Unreachable && error.isSilent;
  const hint = isShutOut ? " (is your network among those of host.sshFrom?)" : "";
  throw new UserError(messageOf(error) + hint);
}
