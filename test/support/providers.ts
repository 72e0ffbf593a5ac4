import { createHash } from "node:crypto";

import * as pulumi from "@pulumi/pulumi";

import { issue } from "./certificates.ts";
import type { ProviderOutputs } from "./mocks.ts";

const authority = issue({ commonName: "mock CA" });

/** The providers' computed outputs that this program reads. */
export const computed: ProviderOutputs = {
  "random:index/randomPassword:RandomPassword": ({ length }) => ({
    result: pulumi.secret("generatedpasswordgeneratedpassword".slice(0, Number(length))),
  }),
  "tls:index/privateKey:PrivateKey": (_, name) => ({
    privateKeyPem: pulumi.secret(authority.key),
    privateKeyOpenssh: pulumi.secret(`private ${withoutEdition(name)}`),
    publicKeyOpenssh: `ssh-ed25519 ${withoutEdition(name)}\n`,
  }),
  "tls:index/selfSignedCert:SelfSignedCert": () => ({ certPem: authority.certificate }),
  "tls:index/certRequest:CertRequest": () => ({ certRequestPem: "request" }),
  "tls:index/locallySignedCert:LocallySignedCert": () => ({ certPem: "leaf" }),
  "docker:index/remoteImage:RemoteImage": ({ name }) => ({
    imageId: `sha256:${createHash("sha256").update(String(name)).digest("hex")}`,
  }),
  "docker:index/container:Container": () => ({ exitCode: 0, containerLogs: "" }),
  "digitalocean:index/reservedIp:ReservedIp": () => ({ ipAddress: "192.0.2.1" }),
  "digitalocean:index/droplet:Droplet": () => ({ id: "4711", ipv6Address: "2001:db8::1" }),
  "digitalocean:index/volume:Volume": () => ({ id: "volume-1", name: "registry-data" }),
  "digitalocean:index/tag:Tag": (_, name) => ({ name }),
  "digitalocean:index/sshKey:SshKey": () => ({ fingerprint: "fingerprint" }),
  "aws:ec2/eip:Eip": () => ({ publicIp: "192.0.2.1", allocationId: "eipalloc-1" }),
  "aws:ec2/instance:Instance": () => ({ id: "i-1", ipv6Addresses: ["2001:db8::1"] }),
  "aws:ebs/volume:Volume": () => ({ id: "vol-1" }),
  "aws:ec2/keyPair:KeyPair": () => ({ keyName: "key-1" }),
  "aws:ec2/getVpc:getVpc": () => ({ id: "vpc-1" }),
  "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": () => ({ locations: ["eu-central-1b"] }),
  "aws:ec2/getSubnets:getSubnets": () => ({ ids: ["subnet-2", "subnet-1"] }),
  "aws:ec2/getSubnet:getSubnet": () => ({ availabilityZone: "eu-central-1a", vpcId: "vpc-1" }),
  "aws:ssm/getParameter:getParameter": () => ({ insecureValue: "ami-1" }),
  "aws:route53/getZone:getZone": () => ({ zoneId: "Z1" }),
};

/** The name of a machine's key without the part that differs between machines. */
export function withoutEdition(name: string): string {
  return name.replace(/-[0-9a-f]{8}$/, "");
}
