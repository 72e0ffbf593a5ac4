import type * as docker from "@pulumi/docker";
import type { Unwrap } from "@pulumi/pulumi";
import type * as tls from "@pulumi/tls";

import { isExact } from "../settings/images.ts";

/** A rule that every resource of some types must satisfy, whatever the settings and the components are. */
export interface Rule {
  readonly name: string;
  /** The rule itself, as a sentence. */
  readonly description: string;
  readonly types: readonly string[];
  /** What is wrong with a resource of such a type, judged by its inputs; undefined if nothing is. */
  readonly problem: (props: Readonly<Record<string, unknown>>) => string | undefined;
}

const container = "docker:index/container:Container";

type Container = Unwrap<docker.ContainerArgs>;
type Certificate = Pick<Unwrap<tls.SelfSignedCertArgs>, "isCaCertificate" | "validityPeriodHours"> & {
  name?: undefined;
};

/** The capabilities that a short-lived container needs to give a volume to a server's user. */
const setupCapabilities = ["CAP_CHOWN", "CAP_DAC_READ_SEARCH"];
/** Docker's socket, or a folder that contains it, gives a container the rights of root on the machine. */
const socketPath = /docker\.sock$|^\/(var\/?)?(run\/?)?$/;
const secretName = /password|secret|token|key/i;
const curves = ["P256", "P384", "P521"];
/** The maximum that browsers accept. An authority may be valid for longer. */
const leafDays = 398;

/** Whether the container is a server, not a command that runs to completion. */
function lasts({ restart = "no" }: Container): boolean {
  return restart !== "no";
}

/** By name: the rule, and what is wrong with a resource, as it follows the resource's name: "publishes a port". */
type Table = Record<string, [description: string, wrong: (props: never) => string | false]>;

/** Pulumi passes inputs without their type. The type follows from that of the resource, so each rule declares it. */
function about(types: readonly string[], table: Table): Rule[] {
  return Object.entries(table).map(([name, [description, wrong]]) => ({
    name,
    description,
    types,
    problem: (props) => {
      const what = wrong(props as never);
      return what === false ? undefined : `${(props["name"] as string | undefined) ?? "this"} ${what}`;
    },
  }));
}

/** Each rule reads only what it needs, as other inputs may be unknown in a preview. */
export const rules: readonly Rule[] = [
  ...about([container], {
    "one-door": [
      "Only the proxy publishes a port.",
      ({ name, ports = [] }: Container) =>
        ports.length > 0 && !name?.endsWith("-proxy") && "publishes a port, which only the proxy may",
    ],
    capabilities: [
      "No container has a capability, except one that runs once to give a volume to its user.",
      (props: Container) => {
        const { drops = [], adds = [] } = props.capabilities ?? {};
        if (!drops.includes("ALL")) return "keeps capabilities: it must drop ALL";
        if (adds.length > 0 && lasts(props))
          return `is a server and adds ${adds.join(", ")}: it must add no capability`;
        const more = adds.filter((added) => !setupCapabilities.includes(added));
        return more.length > 0 && `adds ${more.join(", ")}: it may add at most ${setupCapabilities.join(", ")}`;
      },
    ],
    "no-new-privileges": [
      "No container can gain privileges after its start.",
      ({ securityOpts = [] }: Container) =>
        !securityOpts.some((option) => /^no-new-privileges(:true)?$/.test(option)) && "may gain privileges",
    ],
    "not-privileged": [
      "No container is privileged.",
      ({ privileged = false }: Container) => privileged && "is privileged",
    ],
    "no-docker-socket": [
      "No container can access the engine that runs it.",
      ({ volumes = [], mounts = [] }: Container) => {
        const paths = [...volumes.map(({ hostPath }) => hostPath), ...mounts.map(({ source }) => source)];
        return paths.some((path) => path !== undefined && socketPath.test(path)) && "mounts Docker's socket";
      },
    ],
    "bounded-memory": [
      "Every container has a memory limit and no swap.",
      ({ memory = 0, memorySwap }: Container) =>
        !(memory > 0 && memory === memorySwap) && "has no memory limit: memory and memorySwap must be set and equal",
    ],
    "bounded-logs": [
      "The logs of every container have a size limit.",
      ({ logDriver, logOpts = {} }: Container) =>
        !(logDriver === "json-file" && logOpts["max-size"] && logOpts["max-file"]) &&
        "has no limit on its logs: use json-file with max-size and max-file",
    ],
    "not-root": [
      "No server runs as root.",
      (props: Container) => lasts(props) && /^(root|0*)(:|$)/.test(props.user ?? "") && "is a server and runs as root",
    ],
    "read-only": [
      "No server can write to its root file system.",
      (props: Container) =>
        lasts(props) && props.readOnly !== true && "is a server and can write to its root file system",
    ],
    "health-check": [
      "Every server has a health check.",
      (props: Container) =>
        lasts(props) && (props.healthcheck?.tests?.[0] ?? "NONE") === "NONE" && "is a server and has no health check",
    ],
    "no-secret-in-environment": [
      "No secret is in the environment of a container: everybody who may inspect the container can read it.",
      ({ envs = [] }: Container) => {
        const secrets = envs
          .map((env) => env.split("="))
          .filter(([name = "", value]) => value && secretName.test(name));
        const names = secrets.map(([name]) => name).join(", ");
        return names !== "" && `seems to have a secret in its environment: ${names}`;
      },
    ],
  }),
  ...about(["docker:index/remoteImage:RemoteImage"], {
    "exact-image": [
      "Every image has an exact version or a digest.",
      ({ name }: Unwrap<docker.RemoteImageArgs>) => !isExact(name) && "has neither an exact version nor a digest",
    ],
  }),
  ...about(["docker:index/network:Network"], {
    "private-network": [
      "Every network but the proxy's own and that of the authority's client is internal.",
      ({ name, internal = false }: Unwrap<docker.NetworkArgs>) =>
        !internal && !/-(proxy|acme)$/.test(name ?? "") && "is a network that is not internal",
    ],
  }),
  ...about(["tls:index/privateKey:PrivateKey"], {
    "strong-key": [
      "A private key is Ed25519, ECDSA with at least P256, or RSA with at least 2048 bits.",
      ({ algorithm, ecdsaCurve = "P224", rsaBits = 2048 }: Unwrap<tls.PrivateKeyArgs>) => {
        if (algorithm === "RSA")
          return rsaBits < 2048 && `is an RSA key of ${String(rsaBits)} bits: it must have at least 2048`;
        if (algorithm === "ED25519") return false;
        if (algorithm !== "ECDSA") return `is a key of ${algorithm}: it must be Ed25519, ECDSA or RSA`;
        return !curves.includes(ecdsaCurve) && `is an ECDSA key on ${ecdsaCurve}: it must be on P256 or larger`;
      },
    ],
  }),
  ...about(["tls:index/locallySignedCert:LocallySignedCert", "tls:index/selfSignedCert:SelfSignedCert"], {
    "short-lived-certificate": [
      `A server's certificate is valid for at most ${String(leafDays)} days.`,
      ({ isCaCertificate = false, validityPeriodHours: hours }: Certificate) =>
        !isCaCertificate &&
        hours > leafDays * 24 &&
        `is valid for ${String(hours / 24)} days: at most ${String(leafDays)} are allowed`,
    ],
  }),
];
