import { readFileSync } from "node:fs";
import { homedir } from "node:os";

import * as pulumi from "@pulumi/pulumi";

import { bundleWarning, validateBundle } from "../components/certificate/bundle.ts";
import type { CertificateSource } from "../components/certificate/certificate.ts";
import { configCommand } from "../components/commands.ts";
import { messageOf } from "../components/userError.ts";
import { isNot, isRecord, readJson } from "./json.ts";
import type { Problems } from "./problems.ts";
import { parseSecret, parseText } from "./text.ts";

const certificateKeys = {
  selfSigned: ["mode"],
  provided: ["mode", "bundle", "bundleFile", "key", "keyFile"],
} as const;

/** @param hostname What clients will type, which a provided certificate must be for; undefined where it is unknown. */
export function parseCertificate(
  json: string | undefined,
  hostname: string | undefined,
  { now, home = homedir() }: { readonly now: Date; readonly home?: string },
  problems: Problems,
): CertificateSource | undefined {
  const value = json === undefined ? { mode: "selfSigned" } : readJson(json);
  const mode = isRecord(value) ? value["mode"] : undefined;
  if (!isRecord(value) || (mode !== "selfSigned" && mode !== "provided")) {
    return problems.add(
      "certificate.mode",
      `${isNot(mode, "a mode")}; there are: selfSigned, provided`,
      configCommand("set", "certificate.mode", "selfSigned"),
    );
  }
  for (const key of Object.keys(value)) problems.addUnknownKey("certificate.", key, certificateKeys[mode]);
  if (mode === "selfSigned") return { mode };

  const bundle = parsePem(value, "bundle", home, problems);
  const key = parsePem(value, "key", home, problems);
  if (bundle?.pem.includes("PRIVATE KEY"))
    return problems.add(
      bundle.path,
      "holds a private key, which belongs into keyFile alone",
      configCommand("set", "certificate.bundleFile", "CHAIN.pem"),
    );
  if (bundle === undefined || key === undefined) return undefined;
  for (const { about, wrong } of validateBundle(bundle.pem, key.pem, hostname, now)) {
    switch (about) {
      case "bundle":
        problems.add(bundle.path, wrong, configCommand("set", "certificate.bundleFile", "CHAIN.pem"));
        break;
      case "key":
        problems.add(key.path, wrong, configCommand("set", "certificate.keyFile", "SERVER.key"));
        break;
      case "hostname":
        problems.add("hostname", wrong, configCommand("set", "hostname", "NAME"));
        break;
      default:
        about satisfies never;
    }
  }
  const warning = bundleWarning(bundle.pem);
  if (warning !== undefined)
    problems.warn(bundle.path, warning.wrong, `nothing to do, unless ${warning.whom} are to use it`);
  return { mode, bundle: bundle.pem, key: pulumi.secret(key.pem) };
}

/** PEM given as a setting of its own or in a file; one of the two. */
function parsePem(
  certificate: Record<string, unknown>,
  name: "bundle" | "key",
  home: string,
  problems: Problems,
): { path: string; pem: string } | undefined {
  const inline = certificate[name];
  const file = certificate[`${name}File`];
  const path = `certificate.${name}${file === undefined ? "" : "File"}`;
  const example = name === "key" ? "SERVER.key" : "CHAIN.pem";
  const cure = configCommand("set", `certificate.${name}File`, example);
  if ((inline === undefined) === (file === undefined)) {
    return problems.add(`certificate.${name}`, `give one of ${name} and ${name}File`, cure);
  }
  if (file === undefined) {
    const pem =
      name === "key"
        ? parseSecret(inline, { path, what: "a private key" }, problems)
        : parseText(inline, { path, what: "a certificate", example }, problems);
    return pem === undefined ? undefined : { path, pem };
  }
  const given = parseText(file, { path, what: "the path of a file", example }, problems);
  if (given === undefined) return undefined;
  // Not quoted: it may be the key.
  if (given.includes("-----BEGIN")) return problems.add(path, "is the text itself, not the path of a file", cure);
  try {
    return {
      path,
      pem: readFileSync(
        given.replace(/^~(?=\/)/, () => home),
        "utf8",
      ),
    };
  } catch (error) {
    return problems.add(path, `can't be read: ${messageOf(error)}`, cure);
  }
}
