import { createHash } from "node:crypto";

import * as pulumi from "@pulumi/pulumi";

import { issue } from "./certificates";
import type { ProviderOutputs } from "./mocks";

const authority = issue({ commonName: "mock CA" });

/** What the providers of tls, random and docker compute, as far as this program reads it. */
export const computed: ProviderOutputs = {
  "random:index/randomPassword:RandomPassword": ({ length }) => ({
    result: pulumi.secret("generatedpasswordgeneratedpassword".slice(0, Number(length))),
  }),
  "tls:index/privateKey:PrivateKey": () => ({ privateKeyPem: pulumi.secret(authority.key) }),
  "tls:index/selfSignedCert:SelfSignedCert": () => ({ certPem: authority.certificate }),
  "tls:index/certRequest:CertRequest": () => ({ certRequestPem: "request" }),
  "tls:index/locallySignedCert:LocallySignedCert": () => ({ certPem: "leaf" }),
  "docker:index/remoteImage:RemoteImage": ({ name }) => ({
    imageId: `sha256:${createHash("sha256").update(String(name)).digest("hex")}`,
  }),
  "docker:index/container:Container": () => ({ exitCode: 0, containerLogs: "" }),
};
