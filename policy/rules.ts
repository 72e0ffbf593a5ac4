import type * as docker from "@pulumi/docker";
import type { Unwrap } from "@pulumi/pulumi";
import type * as tls from "@pulumi/tls";

import { isExact } from "../settings/images.ts";

/** What every resource of some types must satisfy, whatever the settings and whoever changes a component. */
export interface Rule {
  readonly name: string;
  /** The rule itself, as a sentence. */
  readonly description: string;
  readonly types: readonly string[];
  /** What is wrong with a resource of such a type, told by its inputs; undefined: nothing. */
  readonly problem: (props: Readonly<Record<string, unknown>>) => string | undefined;
}

const container = "docker:index/container:Container";

type Container = Unwrap<docker.ContainerArgs>;
type Certificate = Pick<Unwrap<tls.SelfSignedCertArgs>, "isCaCertificate" | "validityPeriodHours"> & {
  name?: undefined;
};

/** Enough to give a volume to a server's user, for as long as that takes. */
const setupCapabilities = ["CAP_CHOWN", "CAP_DAC_READ_SEARCH"];
/** Docker's socket, or a folder that it lies in, makes a container as good as root of the machine. */
const socketPath = /docker\.sock$|^\/(var\/?)?(run\/?)?$/;
const secretName = /password|secret|token|key/i;
const curves = ["P256", "P384", "P521"];
/** What browsers take at most; an authority may last longer. */
const leafDays = 398;

/** A server, not a command that runs to its end. */
function lasts({ restart = "no" }: Container): boolean {
  return restart !== "no";
}

/** By name: the rule, and what is wrong with a resource as it goes on after its name, "publishes a port". */
type Table = Record<string, [description: string, wrong: (props: never) => string | false]>;

/** Pulumi hands inputs out without their type, which follows from the resource's: each rule names it. */
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

/** What a rule doesn't read may be unknown at a preview. */
export const rules: readonly Rule[] = [
  ...about([container], {
    "one-door": [
      "Only the proxy publishes a port.",
      ({ name, ports = [] }: Container) =>
        ports.length > 0 && !name?.endsWith("-proxy") && "publishes a port, which only the proxy may",
    ],
    capabilities: [
      "No container has a capability, but for those that give a volume to its user, in one that isn't restarted.",
      (props: Container) => {
        const { drops = [], adds = [] } = props.capabilities ?? {};
        if (!drops.includes("ALL")) return "keeps capabilities: it must drop ALL";
        if (adds.length > 0 && lasts(props)) return `lasts and adds ${adds.join(", ")}: it must add no capability`;
        const more = adds.filter((added) => !setupCapabilities.includes(added));
        return more.length > 0 && `adds ${more.join(", ")}: it may add at most ${setupCapabilities.join(", ")}`;
      },
    ],
    "no-new-privileges": [
      "No container gains privileges after its start.",
      ({ securityOpts = [] }: Container) =>
        !securityOpts.some((option) => /^no-new-privileges(:true)?$/.test(option)) && "may gain privileges",
    ],
    "not-privileged": [
      "No container is privileged.",
      ({ privileged = false }: Container) => privileged && "is privileged",
    ],
    "no-docker-socket": [
      "No container reaches the engine that runs it.",
      ({ volumes = [], mounts = [] }: Container) => {
        const paths = [...volumes.map(({ hostPath }) => hostPath), ...mounts.map(({ source }) => source)];
        return paths.some((path) => path !== undefined && socketPath.test(path)) && "mounts Docker's socket";
      },
    ],
    "bounded-memory": [
      "The memory of every container is bounded, and swap is off.",
      ({ memory = 0, memorySwap }: Container) =>
        !(memory > 0 && memory === memorySwap) && "has no bound on its memory: memory and memorySwap must be the same",
    ],
    "bounded-logs": [
      "The logs of every container are bounded.",
      ({ logDriver, logOpts = {} }: Container) =>
        !(logDriver === "json-file" && logOpts["max-size"] && logOpts["max-file"]) &&
        "has no bound on its logs: json-file with max-size and max-file",
    ],
    "not-root": [
      "No container that lasts is root.",
      (props: Container) => lasts(props) && /^(root|0*)(:|$)/.test(props.user ?? "") && "lasts and is root",
    ],
    "read-only": [
      "No container that lasts writes to its root file system.",
      (props: Container) => lasts(props) && props.readOnly !== true && "lasts and can write to its root file system",
    ],
    "health-check": [
      "Every container that lasts tells whether it works.",
      (props: Container) =>
        lasts(props) && (props.healthcheck?.tests?.[0] ?? "NONE") === "NONE" && "lasts and has no health check",
    ],
    "no-secret-in-environment": [
      "No secret is in the environment of a container, which whoever may look at the container reads.",
      ({ envs = [] }: Container) => {
        const secrets = envs
          .map((env) => env.split("="))
          .filter(([name = "", value]) => value && secretName.test(name));
        const names = secrets.map(([name]) => name).join(", ");
        return names !== "" && `has what looks like a secret in its environment: ${names}`;
      },
    ],
  }),
  ...about(["docker:index/remoteImage:RemoteImage"], {
    "exact-image": [
      "Every image has an exact version or a digest.",
      ({ name }: Unwrap<docker.RemoteImageArgs>) => !isExact(name) && "names no exact version and no digest",
    ],
  }),
  ...about(["docker:index/network:Network"], {
    "private-network": [
      "Every network but the proxy's own is internal.",
      ({ name, internal = false }: Unwrap<docker.NetworkArgs>) =>
        !internal && !name?.endsWith("-proxy") && "is a network that isn't internal",
    ],
  }),
  ...about(["tls:index/privateKey:PrivateKey"], {
    "strong-key": [
      "A private key is Ed25519, ECDSA of P256 at least, or RSA of 2048 bits at least.",
      ({ algorithm, ecdsaCurve = "P224", rsaBits = 2048 }: Unwrap<tls.PrivateKeyArgs>) => {
        if (algorithm === "RSA") return rsaBits < 2048 && `is an RSA key of ${String(rsaBits)} bits: 2048 at least`;
        if (algorithm === "ED25519") return false;
        if (algorithm !== "ECDSA") return `is a key of ${algorithm}, which is none of Ed25519, ECDSA and RSA`;
        return !curves.includes(ecdsaCurve) && `is an ECDSA key of ${ecdsaCurve}: P256 at least`;
      },
    ],
  }),
  ...about(["tls:index/locallySignedCert:LocallySignedCert", "tls:index/selfSignedCert:SelfSignedCert"], {
    "short-lived-certificate": [
      `A server's certificate lasts ${String(leafDays)} days at most.`,
      ({ isCaCertificate = false, validityPeriodHours: hours }: Certificate) =>
        !isCaCertificate && hours > leafDays * 24 && `lasts ${String(hours / 24)} days: ${String(leafDays)} at most`,
    ],
  }),
];
