import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { type JobResult, resultFile } from "../../components/care/keeper/results.ts";
import type { Outcome } from "../../components/certificate/acme/renewal.ts";
import { replicas, type Role, roleLabel } from "../../components/labels.ts";
import { dataFolder } from "../../components/registry/storage/storage.ts";
import { messageOf } from "../../components/userError.ts";
import { linesOf, ownedBy } from "../containers.ts";
import { parseOutcome, showOutcome } from "../renewal.ts";
import type { Stack } from "../stack.ts";
import type { Finding } from "./finding.ts";

/** How long the engine may take to answer, in milliseconds. */
const patience = 30_000;

/** What Docker says about a container. */
export interface Container {
  readonly id: string;
  readonly role: Role;
  /** `running`, `exited`, `restarting` … */
  readonly state: string;
  /** `healthy`, `starting` or `unhealthy`. */
  readonly health: string;
  /** What the last health check printed. */
  readonly said: string;
  /** The id of its image. */
  readonly image: string;
}

/** An image on the engine. */
export interface Image {
  readonly id: string;
  /** `registry:3.1.2`, `registry@sha256:…` */
  readonly names: readonly string[];
  /** The wanted references that lead to it; none if it was only found as that of a container. */
  readonly wanted?: readonly string[];
}

/** The disk with the pushed images, in bytes. */
export interface Disk {
  readonly size: number;
  readonly free: number;
  /** The share of the files' entries that is free, from 0 to 1. */
  readonly freeEntries: number;
  /** What the pushed images take, in bytes. Undefined if it was not counted. */
  readonly used?: number | undefined;
}

/** The containers of a stack, and the images that they run or should run. */
export async function askContainers(
  stack: Stack,
  wanted: readonly string[],
): Promise<{ readonly containers: Container[]; readonly images: Image[] }> {
  const ids = linesOf(
    await docker(["ps", "--all", "--quiet", "--no-trunc", ...ownedBy(stack), "--filter", `label=${roleLabel}`]),
  );
  const containers = ids.length === 0 ? [] : parseContainers(await docker(["inspect", ...ids]));
  const wantedIds = await Promise.all(wanted.map((reference) => askImageId(reference)));
  const known = [...new Set([...wantedIds, ...containers.map(({ image }) => image)])].filter((id) => id !== "");
  const images =
    known.length === 0 ? [] : parseImages(await docker(["image", "inspect", ...known], "some may be missing"));
  return {
    containers,
    images: images.map((image) => ({ ...image, wanted: wanted.filter((_, index) => wantedIds[index] === image.id) })),
  };
}

/** The id of the image to which a reference leads, whatever other names it has; empty if the engine has none. */
async function askImageId(reference: string): Promise<string> {
  const asked = docker(["image", "inspect", "--format", "{{.Id}}", reference]);
  // That the engine doesn't answer is noticed by what else it is asked.
  return asked.then(
    (printed) => printed.trim(),
    () => "",
  );
}

/** How full the disk is. Asks a container of the registry that runs. */
export async function askDisk(container: string, counts: boolean): Promise<Disk> {
  // A large registry takes long to count: then it is not.
  const count = counts ? `timeout 10 du -sk ${dataFolder} 2>/dev/null | cut -f1` : "echo";
  const [blocks, entries] = [`$(df -Pk ${dataFolder})`, `$(df -Pi ${dataFolder})`];
  // As an assignment, so that a failure of df ends the script.
  const script = `set -e; b=${blocks}; e=${entries}; echo "$b" | tail -n 1; echo "$e" | tail -n 1; ${count}`;
  return parseDisk(await docker(["exec", container, "sh", "-c", script]));
}

/** What the certifier's last try came to. */
export async function askRenewal(certifier: string): Promise<Outcome | undefined> {
  return parseOutcome(await docker(["exec", certifier, "sh", "-c", showOutcome]));
}

/** What the keeper's last collection came to; undefined before the first one. */
export async function askCollection(keeper: string): Promise<JobResult | undefined> {
  const printed = await docker([
    "exec",
    keeper,
    "sh",
    "-c",
    `cat ${resultFile(dataFolder, "collect")} 2>/dev/null || true`,
  ]);
  return printed === "" ? undefined : (JSON.parse(printed) as JobResult);
}

/** @throws Error with the last line of what docker printed */
async function docker(args: readonly string[], mayFail?: "some may be missing"): Promise<string> {
  try {
    return (await promisify(execFile)("docker", args, { timeout: patience, maxBuffer: 2 ** 26 })).stdout;
  } catch (error) {
    const { stdout = "", stderr = "", killed = false } = error as Failed;
    if (mayFail !== undefined && stdout !== "") return stdout;
    const [last = ""] = stderr.trim().split("\n").slice(-1);
    const otherwise = killed ? `no answer within ${String(patience / 1000)} seconds` : messageOf(error);
    throw new Error(last === "" ? otherwise : last, { cause: error });
  }
}

/** What `execFile` throws. */
interface Failed {
  readonly stdout?: string;
  readonly stderr?: string;
  /** Whether it took too long. */
  readonly killed?: boolean;
}

interface Inspected {
  readonly Id: string;
  readonly Image: string;
  readonly State: {
    readonly Status: string;
    readonly Health?: { readonly Status: string; readonly Log?: readonly { readonly Output: string }[] };
  };
  readonly Config: { readonly Labels: Readonly<Record<string, string>> };
}

/** Reads what `docker inspect` prints. */
function parseContainers(printed: string): Container[] {
  return (JSON.parse(printed) as Inspected[]).map(({ Id, Image, State, Config }) => ({
    id: Id,
    role: Config.Labels[roleLabel] as Role,
    state: State.Status,
    health: State.Health?.Status ?? "",
    said: State.Health?.Log?.at(-1)?.Output.trim() ?? "",
    image: Image,
  }));
}

/** Reads what `docker image inspect` prints. */
function parseImages(printed: string): Image[] {
  const found = JSON.parse(printed) as {
    readonly Id: string;
    readonly RepoTags: string[] | null;
    readonly RepoDigests: string[] | null;
  }[];
  return found.map(({ Id, RepoTags, RepoDigests }) => ({
    id: Id,
    names: [...(RepoTags ?? []), ...(RepoDigests ?? [])],
  }));
}

/** Reads what `df -Pk`, `df -Pi` and `du -sk` print, a line each. */
export function parseDisk(printed: string): Disk {
  const [blocks = "", entries = "", count = ""] = printed.split("\n");
  // From the right: the name of a share may have blanks.
  const columns = (line: string) => line.trim().split(/\s+/).slice(-5, -2).map(Number);
  const [size = NaN, , free = NaN] = columns(blocks);
  const [allEntries = 0, , freeEntries = 0] = columns(entries);
  if (!(size > 0 && free >= 0)) throw new Error(`the disk can't be read: ${blocks}`);
  return {
    size: size * 1024,
    free: free * 1024,
    // Some file systems have no fixed number of entries, and print 0.
    freeEntries: allEntries === 0 ? 1 : freeEntries / allEntries,
    used: count === "" ? undefined : Number(count) * 1024,
  };
}

/** Judges the containers of a role: as many as there should be, running, healthy, and of the wanted image. */
export function judgeContainers(
  role: Role,
  all: readonly Container[],
  images: readonly Image[],
  wanted: string,
  stack: string,
): Finding[] {
  const containers = all.filter((container) => container.role === role);
  const missing = replicas[role] - containers.length;
  return [
    ...containers.map((container, index) => ({
      about: replicas[role] === 1 ? role : `${role} ${String(index + 1)}`,
      ...judgeContainer(container, images, wanted, stack),
    })),
    ...(missing <= 0
      ? []
      : [
          {
            about: role,
            is: "wrong" as const,
            what: `${String(missing)} of ${String(replicas[role])} containers is missing. To create it: make up STACK=${stack}`,
          },
        ]),
  ];
}

function judgeContainer(
  { id, state, health, said, image }: Container,
  images: readonly Image[],
  wanted: string,
  stack: string,
): Omit<Finding, "about"> {
  const names = images.find((each) => each.id === image)?.names ?? [];
  const target = images.find((each) => each.wanted?.includes(wanted));
  // A reference may have both a tag and a digest.
  const isNamed = (name: string) => name === wanted || name === wanted.replace(/:[\w.-]+@/, "@");
  const isWanted = target === undefined ? names.some(isNamed) : target.id === image;
  const running = isWanted ? wanted : (names.find((name) => !isNamed(name)) ?? image.slice(0, 19));
  const facts = { id, state, health, running, wanted };
  const see = `To see why: make logs STACK=${stack}`;
  if (state !== "running")
    return { is: "wrong", what: `${state}, ${running}. ${see}. To repair it: make up STACK=${stack}`, facts };
  if (health === "unhealthy")
    return { is: "wrong", what: `unhealthy, ${running}${said === "" ? "" : `: ${said}`}. ${see}`, facts };
  if (health === "starting") return { is: "note", what: `starting, ${running}`, facts };
  if (!isWanted) return { is: "note", what: `${health}, ${running}; the settings want ${wanted}`, facts };
  return { is: "well", what: `${health}, ${running}`, facts };
}

/** Judges how full the disk is. */
export function judgeDisk(disk: Disk): Finding {
  const { size, free, freeEntries, used } = disk;
  const taken = used === undefined ? "" : `${gigabytes(used)} used by the images, `;
  const what = `${taken}${gigabytes(free)} of ${gigabytes(size)} free`;
  const isFull = free / size < 0.1 || freeEntries < 0.1;
  const entries = freeEntries < 0.1 ? `, ${String(Math.floor(freeEntries * 100))} % of the entries for files` : "";
  return {
    about: "storage",
    is: isFull ? "wrong" : "well",
    what: isFull ? `${what}${entries}: under a tenth. See docs/runbook.md` : what,
    facts: { ...disk },
  };
}

function gigabytes(bytes: number): string {
  return bytes < 1e9 ? `${String(Math.round(bytes / 1e6))} MB` : `${String(Math.round(bytes / 1e8) / 10)} GB`;
}
