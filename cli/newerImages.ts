import { messageOf } from "../components/userError.ts";
import { ownSettings } from "../settings/configuration.ts";
import { imagesOf } from "../settings/images.ts";
import { type Answer, RegistryClient } from "./client.ts";
import { project } from "./environment.ts";
import type { Stack } from "./stack.ts";
import { type Finding, renderTable } from "./status/finding.ts";

/** Names newer versions of the images that a stack's settings name. Changes nothing. */
export async function newerImages(stack: Stack, { json }: { readonly json: boolean }): Promise<void> {
  const references = imagesOf(ownSettings(project, await stack.configuration()));
  const images = await Promise.all(references.map((reference) => askNewer(reference)));
  console.log(json ? JSON.stringify({ stack: stack.name, images }, undefined, 2) : renderTable(images));
}

/** Asks an image's registry for newer versions, as anybody. A registry that doesn't answer is no failure. */
export async function askNewer(reference: string): Promise<Finding> {
  const { host, path, tag } = parseReference(reference);
  try {
    return judgeTags(reference, parseVersion(tag) === undefined ? [] : await askTags(host, path));
  } catch (error) {
    return { about: reference, is: "unknown", what: `${host} can't be asked: ${messageOf(error)}` };
  }
}

/** Names the newest tag of the line of a reference, and the newest of a later line of the same major version. */
export function judgeTags(reference: string, tags: readonly string[]): Finding {
  const { tag } = parseReference(reference);
  const now = parseVersion(tag);
  if (now === undefined) return { about: reference, is: "note", what: "its tag is no version that could be compared" };
  const all = tags.map(parseVersion).filter((each) => each !== undefined);
  const newer = all.filter((each) => isAlike(each, now) && compare(each, now) > 0).sort(compare);
  const ofLine = newer.filter((each) => lineOf(each) === lineOf(now)).at(-1)?.tag;
  const latest = newer.at(-1)?.tag;
  const what = ofLine === undefined ? "the newest of its line" : `${tag} → ${ofLine}`;
  return {
    about: reference,
    is: latest === undefined ? "well" : "note",
    what: latest === ofLine ? what : `${what}; a later line has ${latest ?? ""}`,
    facts: { ofLine, latest },
  };
}

interface Version {
  readonly tag: string;
  /** `v` */
  readonly prefix: string;
  readonly numbers: readonly number[];
  /** `-alpine` */
  readonly suffix: string;
}

function parseVersion(tag: string): Version | undefined {
  const [, prefix = "", numbers, suffix = ""] = /^(v?)(\d+(?:\.\d+)*)(-.*)?$/.exec(tag) ?? [];
  return numbers === undefined ? undefined : { tag, prefix, numbers: numbers.split(".").map(Number), suffix };
}

/** Whether two versions are of the same kind and major version: `1.30.6-alpine` and `1.31.0-alpine`. */
function isAlike(one: Version, other: Version): boolean {
  const kindOf = ({ prefix, numbers, suffix }: Version) => [prefix, numbers.length, numbers[0], suffix].join(" ");
  return kindOf(one) === kindOf(other);
}

/** `1.30` for `1.30.6-alpine` */
function lineOf({ numbers }: Version): string {
  return numbers.slice(0, Math.max(1, numbers.length - 1)).join(".");
}

function compare(one: Version, other: Version): number {
  const differing = one.numbers.findIndex((number, i) => number !== other.numbers[i]);
  return differing === -1 ? 0 : (one.numbers[differing] ?? 0) - (other.numbers[differing] ?? 0);
}

/** Where Docker would pull an image from. */
export function parseReference(reference: string): { host: string; path: string; tag: string } {
  const [, first = "", rest = "", tag = ""] =
    /^(?:([^/]*[.:][^/]*|localhost)\/)?([^:@]+)(?::([^@]+))?/.exec(reference) ?? [];
  if (!["", "docker.io", "index.docker.io"].includes(first)) return { host: first, path: rest, tag };
  return { host: "registry-1.docker.io", path: rest.includes("/") ? rest : `library/${rest}`, tag };
}

/** More pages than any image has tags. */
const maximalPages = 1000;

async function askTags(host: string, path: string): Promise<string[]> {
  const client = new RegistryClient(`https://${host}`, "", {});
  const tags: string[] = [];
  let headers: Record<string, string> = {};
  try {
    let next: string | undefined = `/v2/${path}/tags/list?n=1000`;
    for (let pages = 0; next !== undefined && pages < maximalPages; pages++) {
      let answer = await client.ask("GET", next, { headers });
      if (answer.status === 401 && pages === 0) {
        headers = { Authorization: `Bearer ${await askToken(answer)}` };
        answer = await client.ask("GET", next, { headers });
      }
      if (answer.status !== 200) throw new Error(`it answers ${String(answer.status)}`);
      const { tags: page } = JSON.parse(answer.body.toString()) as { readonly tags: readonly string[] | null };
      tags.push(...(page ?? []));
      next = nextPage(answer, client.url);
    }
  } finally {
    client.close();
  }
  return tags;
}

/** Where the list of tags goes on. */
function nextPage(answer: Answer, url: string): string | undefined {
  const [, link] = /<([^>]*)>; *rel="?next/.exec(answer.header("link").join()) ?? [];
  if (link === undefined) return undefined;
  const { pathname, search } = new URL(link, url);
  return pathname + search;
}

/** Anybody's token from where a registry says that it is given out. */
async function askToken(refusal: Answer): Promise<string> {
  const challenge = refusal.header("www-authenticate").find((each) => /^bearer /i.test(each)) ?? "";
  const { realm, ...scope } = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
  );
  if (realm === undefined) throw new Error("it wants a password");
  const { origin, pathname } = new URL(realm);
  const client = new RegistryClient(origin, "", {});
  try {
    const answer = await client.ask("GET", `${pathname}?${new URLSearchParams(scope).toString()}`);
    if (answer.status !== 200) throw new Error(`${origin} gives out no token: ${String(answer.status)}`);
    const { token, access_token: accessToken } = JSON.parse(answer.body.toString()) as Readonly<Record<string, string>>;
    return token ?? accessToken ?? "";
  } finally {
    client.close();
  }
}
