import { readFileSync } from "node:fs";

import * as pulumi from "@pulumi/pulumi";

import type { CertificateSource } from "../components/certificate";
import { validateBundle } from "../components/certificateBundle";
import { configCommand, messageOf } from "../problems";
import { isRecord, readJson, shown } from "./json";
import type { Problems } from "./problems";

const certificateKeys = {
  selfSigned: ["mode"],
  provided: ["mode", "bundle", "bundleFile", "key", "keyFile"],
} as const;

/** @param hostname What clients will type, which a provided certificate must be for. */
export function parseCertificate(
  json: string | undefined,
  hostname: string | undefined,
  now: Date,
  problems: Problems,
): CertificateSource | undefined {
  const value = json === undefined ? { mode: "selfSigned" } : readJson(json);
  const mode = isRecord(value) ? value["mode"] : undefined;
  if (!isRecord(value) || (mode !== "selfSigned" && mode !== "provided")) {
    return problems.add(
      "certificate.mode",
      `${shown(mode)} is not a mode; there are: selfSigned, provided`,
      configCommand("set", "certificate.mode", "selfSigned"),
    );
  }
  for (const key of Object.keys(value)) problems.addUnknownKey("certificate.", key, certificateKeys[mode]);
  if (mode === "selfSigned") return { mode };

  const bundle = parsePem(value, "bundle", problems);
  const key = parsePem(value, "key", problems);
  if (bundle === undefined || key === undefined) return undefined;
  for (const { about, wrong } of validateBundle(bundle.pem, key.pem, hostname ?? "", now)) {
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
  return { mode, bundle: bundle.pem, key: pulumi.secret(key.pem) };
}

/** PEM given as a setting of its own or in a file; one of the two. */
function parsePem(
  certificate: Record<string, unknown>,
  name: "bundle" | "key",
  problems: Problems,
): { path: string; pem: string } | undefined {
  const inline = certificate[name];
  const file = certificate[`${name}File`];
  const path = `certificate.${name}${file === undefined ? "" : "File"}`;
  const cure = configCommand("set", `certificate.${name}File`, name === "key" ? "SERVER.key" : "CHAIN.pem");
  if ((inline === undefined) === (file === undefined)) {
    return problems.add(`certificate.${name}`, `give one of ${name} and ${name}File`, cure);
  }
  if (file === undefined)
    return typeof inline === "string" ? { path, pem: inline } : problems.add(path, "is not a text", cure);
  if (typeof file !== "string") return problems.add(path, "is not the path of a file", cure);
  try {
    return { path, pem: readFileSync(file, "utf8") };
  } catch (error) {
    return problems.add(path, `can't be read: ${messageOf(error)}`, cure);
  }
}
