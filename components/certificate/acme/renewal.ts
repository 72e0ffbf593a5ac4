import { createPrivateKey, type X509Certificate } from "node:crypto";

import { isIssuedBy, namesOf, outOfDate, parseCertificates, parseOr } from "../chain.ts";
import { servedFolders } from "../served.ts";

/** What the certifier needs to know, written by `up`. */
export interface RenewalSettings {
  /** The DNS names and IP addresses of the certificate; the first is its common name. */
  readonly names: readonly string[];
  /** The URL of the authority's ACME directory. */
  readonly server: string;
  /** Where the authority may write to. Default: nowhere. */
  readonly email?: string | undefined;
  /** The authority's word for the kind of certificate: `shortlived`. Default: the authority's own choice. */
  readonly profile?: string | undefined;
  readonly keyType: KeyType;
  /** PEM: the root of a private authority. Default: a public one. */
  readonly authority?: string | undefined;
  /** The name of an account that the authority knows already; its secret is in another file. Default: it wants none. */
  readonly kid?: string | undefined;
  /**
   * The DNS provider, as lego calls it, where lego answers challenges, and the servers that must know a record before the
   * authority is asked; none for those of the zone. Default: it answers through the proxy.
   */
  readonly dns?: { readonly provider: string; readonly resolvers: readonly string[] } | undefined;
}

/** A type of private key, as lego and the settings call it. */
export const keyTypes = ["ec256", "ec384", "rsa2048", "rsa3072", "rsa4096"] as const;
export type KeyType = (typeof keyTypes)[number];

/** Where lego stores accounts, certificates and keys, and both containers leave what they tell each other. */
export const stateFolder = "/acme";

/**
 * What is wrong with a certificate that an authority gave; undefined if the proxy can serve it. The chain must lead to the
 * authority that the settings name.
 */
export function problemWith(
  chain: string,
  key: string,
  { names, authority }: Pick<RenewalSettings, "names" | "authority">,
  now: Date,
): string | undefined {
  const certificates = parseOr(() => parseCertificates(chain)) ?? [];
  const [leaf] = certificates;
  if (leaf === undefined) return "holds no readable certificate";
  if (!isPair(leaf, key)) return "does not fit its key";
  if (isIssuedBy(leaf, leaf)) return "has signed itself";
  const covered = namesOf(leaf);
  const missing = names.find((name) => !covered.includes(name));
  if (missing !== undefined) return `is for ${covered.join(", ")}, not for ${missing}`;
  const late = certificates.map((certificate) => outOfDate(certificate, now)).find((wrong) => wrong !== undefined);
  return late ?? brokenChain(certificates, authority);
}

/** Whether a key, PEM, is that of a certificate. */
function isPair(leaf: X509Certificate, key: string): boolean {
  const privateKey = parseOr(() => createPrivateKey(key));
  return privateKey !== undefined && leaf.checkPrivateKey(privateKey);
}

/** Whether only another certificate can help: what lego stored was cut short, as by a full disk. */
export function isBroken(chain: string, key: string): boolean {
  const [leaf] = parseOr(() => parseCertificates(chain)) ?? [];
  return leaf === undefined || !isPair(leaf, key);
}

/**
 * Why clients can't follow a chain; undefined if they can.
 *
 * @param authority PEM: what the chain must lead to. Default: any issuer.
 */
function brokenChain(certificates: readonly X509Certificate[], authority: string | undefined): string | undefined {
  const isLinked = certificates.every((each, i) => {
    const issuer = certificates[i + 1];
    return issuer === undefined || isIssuedBy(each, issuer);
  });
  if (!isLinked) return "has issuers that don't belong together";
  const last = certificates.at(-1);
  if (authority === undefined || last === undefined) return undefined;
  const isTrusted = parseCertificates(authority).some((root) => isIssuedBy(last, root));
  return isTrusted ? undefined : "was not issued by the authority in certificate.authority";
}

const minute = 60;
const hour = 60 * minute;

/**
 * How long until the next look, in seconds: twelve times in the life of a certificate, at most twice a day.
 *
 * @param life The life of the present certificate, in seconds; undefined if there is none.
 * @param failures How many tries have failed since the last good one. Each doubles the pause, from two minutes to an hour:
 * a public authority accepts five failures an hour.
 */
export function pauseAfter(failures: number, life: number | undefined): number {
  const usual = Math.min(Math.max((life ?? Infinity) / 12, 5), 12 * hour);
  return failures === 0 ? usual : Math.min(2 ** Math.min(failures, 6) * minute, hour, usual);
}

/** The life of a certificate and what is left of it, in seconds. */
export function lifeOf({ validFrom, validTo }: X509Certificate, now: Date): { life: number; left: number } {
  const end = Date.parse(validTo);
  return { life: (end - Date.parse(validFrom)) / 1000, left: (end - now.getTime()) / 1000 };
}

/** Whether so little of the life is left that a person should look. */
export function isUrgent({ life, left }: { readonly life: number; readonly left: number }): boolean {
  return left < life / 4;
}

/** The name that lego gives the files of a certificate. */
export function fileNameOf({ names: [first = ""] }: Pick<RenewalSettings, "names">): string {
  return first.replace("*", "_").replaceAll(":", "-");
}

/** The words for lego: obtains a certificate or, if there is one, renews it if it is due, with the same key. */
export function legoWords(
  settings: RenewalSettings,
  { folder, isRenewal }: { readonly folder: string; readonly isRenewal: boolean },
): string[] {
  const { server, names, email, profile, keyType, kid } = settings;
  return [
    ...["--server", server, "--accept-tos", "--path", folder, "--key-type", keyType],
    ...names.flatMap((name) => ["--domains", name]),
    ...(email === undefined ? [] : ["--email", email]),
    ...(kid === undefined ? [] : ["--eab", "--kid", kid]),
    // Six tries with lego's own 30 seconds would take minutes.
    ...["--http-timeout", "10"],
    // An address can't be a common name.
    "--disable-cn",
    ...challengeWords(settings),
    ...(isRenewal ? ["renew", "--reuse-key", "--dynamic", "--no-random-sleep"] : ["run"]),
    ...(profile === undefined ? [] : ["--profile", profile]),
  ];
}

function challengeWords({ dns }: Pick<RenewalSettings, "dns">): string[] {
  if (dns === undefined) return ["--http", "--http.webroot", servedFolders.challenges];
  const { provider, resolvers } = dns;
  if (resolvers.length === 0) return ["--dns", provider];
  const instead = ["--dns.propagation-disable-ans", "--dns.propagation-rns"];
  return ["--dns", provider, ...resolvers.flatMap((server) => ["--dns.resolvers", server]), ...instead];
}

/** What a try came to. The last one is what `make status` shows. */
export interface Outcome {
  readonly at: string;
  /**
   * `begun`: it has not ended; `kept`: it was not due; `issued`: a new one is served; `failed`: the one before is still
   * served.
   */
  readonly result: "begun" | "kept" | "issued" | "failed";
  /** Why it failed, in the authority's words. */
  readonly why?: string | undefined;
  /** How many tries have failed since the last good one. */
  readonly failures: number;
  /** When the last ones failed at a public authority, for whichever settings. */
  readonly failed: readonly string[];
  /** When the next one is, unless somebody asks for one before. */
  readonly next: string;
  /** What those who asked for it call it. */
  readonly asked: readonly string[];
  /** What it was for: the folder of these settings. */
  readonly settings: string;
}

/** Whether it is time to look. A `next` that lies far ahead was set by a clock that was wrong. */
export function isDue({ next }: Pick<Outcome, "next">, now: Date): boolean {
  const wait = Date.parse(next) - now.getTime();
  return !(wait > 0 && wait <= 13 * hour * 1000);
}

/** How many tries may still fail within this hour: a public authority accepts five. */
export function triesLeft(failed: readonly string[], now: Date): number {
  return Math.max(0, 5 - failed.filter((at) => now.getTime() - Date.parse(at) < hour * 1000).length);
}

/** The reason in what lego printed: its last line that names an error, or the line that it announces, without the time. */
export function reasonIn(printed: string): string {
  const lines = printed
    .split("\n")
    .map((line) => line.replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, "").trim())
    .filter((line) => line !== "");
  const last = lines.map((line) => /error|could not|unable|failed/i.test(line)).lastIndexOf(true);
  const reason = lines[last]?.endsWith(":") === true ? (lines[last + 1] ?? lines[last]) : lines[last];
  return (reason ?? lines.at(-1) ?? "lego printed nothing").slice(0, 1000);
}
