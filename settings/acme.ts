import * as pulumi from "@pulumi/pulumi";
import type * as z from "zod/mini";

import type { AcmeSource } from "../components/certificate/acme/acme.ts";
import { parseCertificates, parseOr } from "../components/certificate/chain.ts";
import type { Problems } from "./problems.ts";
import type { settings } from "./schema.ts";
import type { Some } from "./shape.ts";

/** The authorities that have a name of their own in the settings. */
export const servers: Readonly<Record<string, string>> = {
  letsencrypt: "https://acme-v02.api.letsencrypt.org/directory",
  staging: "https://acme-staging-v02.api.letsencrypt.org/directory",
};

type Certificate = NonNullable<Some<z.output<typeof settings>>["certificate"]>;
type Given = Extract<Certificate, { readonly mode?: "acme" | undefined }>;

export function readAcme(given: Given, problems: Problems): AcmeSource | undefined {
  const { server, keyType, httpPort, eab, names = [], email, authority, profile } = given;
  if (authority !== undefined && !parseOr(() => parseCertificates(authority))?.length)
    problems.add(
      "certificate.authority",
      "holds no readable certificate",
      "pulumi config set --path certificate.authority < ROOT.pem",
    );
  if (server === undefined || keyType === undefined || httpPort === undefined) return undefined;
  if (eab !== undefined && (eab.kid === undefined || eab.hmac === undefined)) return undefined;
  return {
    mode: "acme",
    server: servers[server] ?? server,
    ...{ keyType, httpPort, email, authority, profile },
    names: names.filter((name) => name !== undefined).map((name) => name.toLowerCase()),
    eab: eab && { kid: eab.kid ?? "", hmac: pulumi.secret(eab.hmac ?? "") },
  };
}
