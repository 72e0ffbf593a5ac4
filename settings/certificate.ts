import { readFileSync } from "node:fs";
import { homedir } from "node:os";

import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod/mini";

import { readBundle, warningsAbout } from "../components/certificate/bundle.ts";
import type { CertificateSource } from "../components/certificate/certificate.ts";
import { configCommand } from "../components/commands.ts";
import { messageOf } from "../components/userError.ts";
import { readAcme } from "./acme.ts";
import type { Environment } from "./environment.ts";
import type { Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

type Given = NonNullable<Some<z.output<typeof settings>>["certificate"]>;
type Provided = Extract<Given, { readonly mode?: "provided" | undefined }>;

/** What files are read from, and when. */
type Surroundings = Pick<Environment, "now" | "home">;

/**
 * @param hostname The name that a provided certificate must cover; undefined if it is not known yet.
 * @param zone That of the setting `dns`, if there is one.
 */
export function readCertificate(
  given: Given | undefined,
  hostname: string | undefined,
  zone: string | undefined,
  environment: Surroundings,
  problems: Problems,
): CertificateSource | undefined {
  switch (given?.mode) {
    case undefined:
      return undefined;
    case "selfSigned":
      return { mode: given.mode };
    case "acme":
      return readAcme(given, zone, problems);
    case "provided":
      return readProvided(given, hostname, environment, problems);
    default:
      return given satisfies never;
  }
}

function readProvided(
  given: Provided,
  hostname: string | undefined,
  { now, home = homedir() }: Surroundings,
  problems: Problems,
): CertificateSource | undefined {
  const bundle = readPem(given, "bundle", home, problems);
  const key = readPem(given, "key", home, problems);
  if (bundle?.pem.includes("PRIVATE KEY"))
    return problems.add(
      bundle.path,
      "holds a private key, which belongs in keyFile only",
      configCommand("set", "certificate.bundleFile", "CHAIN.pem"),
    );
  if (bundle === undefined || key === undefined) return undefined;
  const { passphrase } = given;
  const read = readBundle({ bundle: bundle.pem, key: key.pem, passphrase }, hostname, now);
  for (const { about, wrong } of read.problems) {
    switch (about) {
      case "bundle":
        problems.add(bundle.path, wrong, configCommand("set", "certificate.bundleFile", "CHAIN.pem"));
        break;
      case "key":
        problems.add(key.path, wrong, configCommand("set", "certificate.keyFile", "SERVER.key"));
        break;
      case "passphrase":
        problems.add("certificate.passphrase", wrong, configCommand("set --secret", "certificate.passphrase"));
        break;
      case "hostname":
        problems.add("hostname", wrong, configCommand("set", "hostname", "NAME"));
        break;
      default:
        about satisfies never;
    }
  }
  for (const { wrong, cure } of warningsAbout(read.chain, now)) problems.warn(bundle.path, wrong, cure);
  return { mode: "provided", bundle: read.chain, key: pulumi.secret(read.key) };
}

/** Reads PEM from the setting itself or from the file that it names; exactly one must be set. */
function readPem(
  given: Provided,
  name: "bundle" | "key",
  home: string,
  problems: Problems,
): { path: string; pem: string } | undefined {
  const inline = given[name];
  const file = given[`${name}File`];
  const path = `certificate.${name}${file === undefined ? "" : "File"}`;
  if (problems.has(`certificate.${name}`) || problems.has(`certificate.${name}File`)) return undefined;
  const cure = configCommand("set", `certificate.${name}File`, name === "key" ? "SERVER.key" : "CHAIN.pem");
  if ((inline === undefined) === (file === undefined))
    return problems.add(`certificate.${name}`, `set exactly one of ${name} and ${name}File`, cure);
  if (file === undefined) return { path, pem: inline ?? "" };
  try {
    return {
      path,
      pem: readFileSync(
        file.replace(/^~(?=\/)/, () => home),
        "utf8",
      ),
    };
  } catch (error) {
    const isFolder = (error as NodeJS.ErrnoException).code === "EISDIR";
    return problems.add(path, isFolder ? "names a folder, not a file" : `can't be read: ${messageOf(error)}`, cure);
  }
}
