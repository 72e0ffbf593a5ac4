// Every setting, once: its type, default, meaning, example, and the effect of a change. The settings of a stack are
// checked against this file, and `node settings/generate.ts` writes the `config` of Pulumi.yaml and docs/settings.md
// from it. Checks between settings are in crossChecks.ts.

import * as z from "zod/mini";

import { roles } from "../components/access.ts";
import { defaultLimits } from "../components/care/keeper/levels.ts";
import { parseSchedule } from "../components/care/keeper/schedule.ts";
import { grace, undo } from "../components/care/keeper/times.ts";
import { keyTypes } from "../components/certificate/acme/renewal.ts";
import { configCommand } from "../components/commands.ts";
import { everywhere } from "../components/endpoint.ts";
import { repositoryPattern } from "../components/proxy/nginx/registryApi.ts";
import { servers } from "./acme.ts";
import { images } from "./images.ts";
import { isNot } from "./json.ts";
import {
  type About,
  abouts,
  type Check,
  choice,
  flag,
  number,
  pattern,
  secret,
  text,
  unlessEmpty,
  withDefault,
} from "./kinds.ts";
import { network } from "./networks.ts";
import { certificateName, dataPath, hostname, image, password, size, userName } from "./scalars.ts";

const hour = 3600;

const elsewhere = "starts an empty registry in the new place; no data is moved";
const otherEngine =
  "starts an empty registry on the other engine. Run `make destroy` first, or the old registry keeps running";
const replacesProxy = "replaces the proxy container";
const replacesRegistry = "replaces the registry's containers, without cutting a transfer";
const replacesJob = "replaces that container, without cutting a transfer";
const live = "goes live";

export const targets = ["local", "ssh", "digitalocean", "aws"] as const;

const where = {
  target: unlessEmpty(
    withDefault(
      choice(targets, {
        what: "a target",
        meaning:
          "Where the registry runs. `local`: on an existing Docker engine. `ssh`: on a machine that you own. " +
          "`digitalocean`, `aws`: on a machine that `make up` creates.",
        example: "digitalocean",
        change: `${elsewhere}. Use another stack, or run \`make purge\` first`,
      }),
      "local",
    ),
  ),
  dockerHost: unlessEmpty(
    z.optional(
      text({
        what: "the address of a Docker engine",
        meaning:
          "The address of the Docker engine: `unix:///…`, `tcp://host:2376` or `ssh://user@host`. For `tcp://` to another " +
          "machine, set DOCKER_CERT_PATH to the folder with `ca.pem`, `cert.pem` and `key.pem`.",
        without: "the first that is set of dockerContext, dockerMachine and DOCKER_HOST, else the local socket",
        example: "ssh://deploy@build.example.com",
        change: otherEngine,
      }),
    ),
  ),
  dockerContext: unlessEmpty(
    z.optional(
      text({
        what: "the name of a Docker context",
        meaning:
          "The Docker context of the engine (`docker context ls`). The context that `docker context use` selected is not used " +
          "unless it is named here.",
        without: "none",
        example: "build",
        change: otherEngine,
      }),
    ),
  ),
  dockerMachine: unlessEmpty(
    z.optional(
      text({
        what: "the name of a docker-machine",
        meaning:
          "The docker-machine that runs the engine (`docker-machine ls`). Its address and certificate are read from its folder " +
          "under MACHINE_STORAGE_PATH or `~/.docker/machine`.",
        without: "none",
        example: "dev1",
        change: otherEngine,
      }),
    ),
  ),
};

const endpoint = {
  hostname: unlessEmpty(
    z.optional(
      text(
        {
          what: "a DNS name or an IPv4 address",
          meaning:
            "The name or IPv4 address that clients type. With a loopback name, the ports are published on loopback only; with " +
            "any other name, on all addresses of the machine.",
          without: "localhost on a local engine, else the address of the machine",
          example: "registry.example.com",
          change:
            "renews the certificate and goes live. A change from or to a loopback name also replaces the proxy container",
        },
        hostname,
      ),
    ),
  ),
  port: withDefault(
    number(1, 65535, {
      meaning: "The TCP port that clients type.",
      example: "443",
      change: `${replacesProxy}; clients sign in again, as images have another name there`,
    }),
    5043,
  ),
};

const storage = {
  dataPath: unlessEmpty(
    z.optional(
      text(
        {
          what: "an absolute path on the engine's machine",
          meaning:
            "The absolute path of a folder on the engine's machine for the pushed images. System folders are refused. The " +
            "folder and everything in it are given to user id 65532.",
          without: "a named volume, `private-registry-dev1-data` for the stack dev1",
          example: "/srv/registry",
          change: `${replacesProxy}, and those of the registry, which then serves what is in the new folder; no data is moved`,
        },
        ...dataPath,
      ),
    ),
  ),
};

const containers = {
  [images.registry.setting]: withDefault(
    text(
      {
        what: "an image reference",
        meaning: "The image of the registry (CNCF distribution 3), with an exact version or a digest.",
        example: "mirror.example.com/library/registry:3.1.2",
        change: replacesRegistry,
      },
      ...image,
    ),
    images.registry.reference,
  ),
  [images.proxy.setting]: withDefault(
    text(
      {
        what: "an image reference",
        meaning: "The image of the proxy (nginx 1.30), with an exact version or a digest.",
        example: "mirror.example.com/library/nginx:1.30.6-alpine",
        change: replacesProxy,
      },
      ...image,
    ),
    images.proxy.reference,
  ),
  [images.lego.setting]: withDefault(
    text(
      {
        what: "an image reference",
        meaning:
          "The image of lego, which obtains certificates, with an exact version or a digest. Only for `mode: acme`.",
        example: "mirror.example.com/goacme/lego:v4.35.2",
        change: replacesJob,
      },
      ...image,
    ),
    images.lego.reference,
  ),
  [images.node.setting]: withDefault(
    text(
      {
        what: "an image reference",
        meaning:
          "The image of Node 24, with an exact version or a digest: it runs the keeper, and checks what lego obtained. Only for `care` " +
          "and `mode: acme`.",
        example: "mirror.example.com/library/node:24.21.0-alpine",
        change: replacesJob,
      },
      ...image,
    ),
    images.node.reference,
  ),
};

const limits = {
  deletion: withDefault(
    flag({
      meaning: "Whether an admin may delete manifests and blobs.",
      example: "true",
      change: replacesRegistry,
    }),
    false,
  ),
  drainTimeout: withDefault(
    number(0, 21_600, {
      what: "a whole number of seconds from 0 to 21600",
      meaning:
        "How long a registry container that is replaced may go on with requests that it has begun to answer, in seconds. " +
        "What takes longer is cut; new requests go to the new containers all the while.",
      example: "3600",
      change: replacesRegistry,
    }),
    900,
  ),
  guessesPerMinute: withDefault(
    number(1, 40, {
      meaning:
        "Sign-in attempts per client address and minute, 1 to 40. All addresses together have 60. Users who are signed in are " +
        "not limited.",
      example: "10",
      change: live,
    }),
    30,
  ),
  maxUploadSize: unlessEmpty(
    z.optional(
      text(
        {
          what: "a size: a number and k, m or g for KiB, MiB or GiB, up to 1048576g",
          meaning:
            "The largest request body: a number and `k`, `m` or `g` for KiB, MiB or GiB. Docker sends a layer in one request. A " +
            "client that uploads in chunks can push a larger layer.",
          without: "no limit",
          example: "10g",
          change: live,
        },
        size,
      ),
    ),
  ),
};

const prefixName = "the name of a repository or the first components of one";
const prefix: Check = {
  holds: (given) => new RegExp(`^${repositoryPattern}$`).test(given) && given.length <= 255,
  wrong: (given) => `${isNot(given, prefixName)}: lower-case letters, digits, single separators`,
};

const user = z.strictObject({
  name: text(
    { what: "a name", meaning: "The name that the user signs in with, exactly as written here.", example: "NAME" },
    ...userName,
  ),
  role: z._default(
    choice(roles, {
      what: "a role",
      meaning:
        "A `reader` pulls, a `writer` also pushes, an `admin` also lists the catalog and, if `deletion` is on, deletes. " +
        "Rules do not apply to an admin.",
      example: "reader",
    }),
    "writer",
  ),
  password: z.optional(
    secret(
      {
        what: "a password",
        meaning: "1 to 72 bytes.",
        without: "a generated password, which `make passwords` prints",
        leftOut: "to have one generated",
      },
      ...password,
    ),
  ),
});

const names = (meaning: string, without: string) =>
  z.optional(
    z.array(text({ what: "the name of a user", meaning: "A user.", example: "NAME" })).register(abouts, {
      what: "a list of user names",
      meaning,
      without,
      example: "[alice, ci]",
      cure: (path) => configCommand("rm", path),
    }),
  );

const rule = z.strictObject({
  prefix: text(
    {
      what: prefixName,
      meaning:
        "Whole components of a repository's name: `team/app` matches `team/app` and `team/app/web`, not `team/apple`.",
      example: "team/app",
    },
    prefix,
  ),
  pull: names("The users who may pull. Users listed in `push` may pull as well.", "everybody"),
  push: names("The users who may push, if their role allows it.", "those who may pull"),
});

const access = {
  users: z._default(
    z
      .array(
        user.register(abouts, {
          what: "an object with a name",
          meaning: "A user.",
          cure: (path) => configCommand("set", `${path}.name`, "NAME"),
        }),
      )
      .check(z.minLength(1))
      .register(abouts, {
        what: "a list of at least one user",
        meaning:
          "Who may use the registry. The list replaces the default, so include `admin` in it. `make login` signs in as the first.",
        without: "one user `admin` with the role `admin` and a generated password",
        change: "goes live at once: old passwords no longer work; other users stay signed in",
        cure: () =>
          `${configCommand("set", "users[0].name", "admin")} && ${configCommand("set", "users[0].role", "admin")}`,
      }),
    [{ name: "admin", role: "admin" }],
  ),
  rules: z._default(
    z
      .array(
        rule.register(abouts, {
          what: "an object with a prefix",
          meaning: "A rule.",
          cure: (path) => configCommand("set", `${path}.prefix`, "team/app"),
        }),
      )
      .register(abouts, {
        what: "a list",
        meaning:
          "Restricts who may use the repositories under a prefix. If several rules match, only the one with the longest prefix " +
          "applies. A rule gives nobody more than their role allows.",
        without: "none",
        change: live,
        cure: (path) => configCommand("set", `${path}[0].prefix`, "team/app"),
      }),
    [],
  ),
  anonymous: z.optional(
    z
      .strictObject({
        port: number(1, 65535, {
          meaning: "The TCP port that clients type, other than `port`.",
          example: "5044",
          change: replacesProxy,
        }),
        prefixes: z
          .array(text({ what: prefixName, meaning: "A prefix.", example: "team/app" }, prefix))
          .check(z.minLength(1))
          .register(abouts, {
            what: "a list of at least one prefix",
            meaning: "The prefixes of the repositories that anybody may pull, as in `rules`.",
            example: "[public]",
            change: live,
            cure: (path) => configCommand("set", `${path}[0]`, "public"),
          }),
      })
      .register(abouts, {
        what: "an object",
        meaning:
          "What anybody may pull without a password. It has its own port, because clients send a password only when asked for " +
          "one. That port checks no password: `docker login` succeeds there with any. Rules about pulling apply there too.",
        without: "nothing",
        change: "goes live. Adding it, removing it or changing its port replaces the proxy container",
        cure: (path) => configCommand("set", `${path}.port`, "5044"),
      }),
  ),
};

const pathOfFile = "the path of a file";

/** The text is not quoted, as it may be the key. */
const notText: Check = {
  holds: (given) => !given.includes("-----BEGIN"),
  wrong: () => "holds the PEM text, not the path of a file",
};

const keyType = choice(keyTypes, {
  what: "a type of key",
  meaning: "The type of the private key. A change makes a new key, and obtains a certificate for it.",
  example: "rsa2048",
});

const pemCertificate: Check = {
  holds: (given) => given.includes("-----BEGIN CERTIFICATE-----"),
  wrong: () => "is not the PEM text of a certificate",
  cure: () => `pulumi config set --path certificate.authority < ROOT.pem`,
};

const zoneName = pattern(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]\.?$/i);

const challengeZone = {
  zone: z.optional(
    text(
      {
        what: "the name of a zone",
        meaning: "The zone that contains all names of the certificate. It must already exist.",
        without: "that of the setting `dns`",
        example: "example.com",
      },
      zoneName,
    ),
  ),
  apiUrl: z.optional(
    text(
      {
        what: "a URL",
        meaning: "The address of the provider's API, to use another one.",
        without: "the public API",
        example: "https://api.sandbox.dnsimple.com",
      },
      { holds: (given) => /^https?:/.test(given) && URL.canParse(given) },
    ),
  ),
  resolvers: z._default(
    z
      .array(
        text(
          { what: "the address of a DNS server", meaning: "A DNS server.", example: "192.0.2.53:53" },
          { holds: (given) => /^[\w.-]+(:\d{1,5})?$/.test(given) },
        ),
      )
      .register(abouts, {
        what: "a list of DNS servers",
        meaning:
          "The DNS servers, HOST or HOST:PORT, that must know a record before the authority is asked, for a network in which those of the zone can't be reached.",
        without: "those of the zone",
        example: "[192.0.2.53]",
        cure: (path) => configCommand("set", `${path}[0]`, "192.0.2.53"),
      }),
    [],
  ),
};

/** With a token of its own, as the operator's may do more. */
const challengeToken = {
  ...challengeZone,
  token: secret({
    what: "an API token",
    meaning: "An API token for this alone: the machine gets it. Give it no rights but to change records.",
  }),
};

/** A certificate from an authority that speaks ACME. */
const acme = z.strictObject({
  mode: z.literal("acme"),
  email: z.optional(
    text(
      {
        what: "an email address",
        meaning: "Where the authority may write to.",
        without: "none",
        example: "ops@example.com",
      },
      pattern(/^[^\s@]+@[^\s@]+$/),
    ),
  ),
  server: withDefault(
    text(
      {
        what: "letsencrypt, staging or the https URL of an ACME directory",
        meaning:
          "The authority: `letsencrypt`, `staging` (that of Let's Encrypt for trials, which no client trusts), or the URL of another one's directory.",
        example: "staging",
      },
      { holds: (given) => Object.hasOwn(servers, given) || (given.startsWith("https:") && URL.canParse(given)) },
    ),
    "letsencrypt",
  ),
  authority: z.optional(
    text(
      {
        what: "a certificate",
        meaning:
          "The root of a private authority, PEM: its server must show a certificate from it, and clients must trust it, as with `selfSigned`.",
        without: "a public authority, which clients trust already",
        example: "ROOT.pem",
      },
      pemCertificate,
    ),
  ),
  profile: z.optional(
    text(
      {
        what: "the name of a profile",
        meaning: "The kind of certificate, in the authority's words.",
        without: "the authority's own choice",
        example: "shortlived",
      },
      pattern(/^[\w.-]+$/),
    ),
  ),
  keyType: withDefault(keyType, "ec256"),
  eab: z.optional(
    z
      .strictObject({
        kid: text({ what: "a key identifier", meaning: "The key identifier.", example: "KID" }, pattern(/^[^\s]+$/)),
        hmac: secret({ what: "an HMAC key", meaning: "The HMAC key, as the authority gave it." }),
      })
      .register(abouts, {
        what: "an object with kid and hmac",
        meaning: "The account that the authority knows already, where it wants one (external account binding).",
        without: "none",
        cure: (path) => configCommand("set", `${path}.kid`, "KID"),
      }),
  ),
  httpPort: withDefault(
    number(1, 65535, {
      meaning:
        "The TCP port for the authority's challenges, open to everybody; not used with `dns`. A public authority asks at port 80, so another port needs something before it that forwards 80 to it.",
      example: "8080",
      change: replacesProxy,
    }),
    80,
  ),
  dns: z.optional(
    z
      .discriminatedUnion("provider", [
        z.strictObject({ provider: z.literal("route53"), ...challengeZone }),
        z.strictObject({ provider: z.literal("digitalocean"), ...challengeToken }),
        z.strictObject({ provider: z.literal("dnsimple"), ...challengeToken }),
      ])
      .register(abouts, {
        what: "a DNS provider",
        meaning:
          "The `provider` of the zone in which challenges are answered (DNS-01), so that the authority need not reach the registry. For " +
          "`route53` the stack makes a user of AWS that can change these records only; the others need a `token` of their own.",
        without: "challenges are answered at `httpPort` (HTTP-01)",
        example: "route53",
        change: "from or to none adds or removes that port, which replaces the proxy container; else it goes live",
      }),
  ),
  names: z._default(
    z
      .array(text({ what: "a DNS name", meaning: "A DNS name.", example: "registry.example.net" }, certificateName))
      .register(abouts, {
        what: "a list of DNS names",
        meaning: "More names for the certificate than `hostname`. A wildcard, `*.example.com`, needs `dns`.",
        without: "none",
        example: "[registry.example.net]",
        cure: (path) => configCommand("set", `${path}[0]`, "registry.example.net"),
      }),
    [],
  ),
});

const certificates = {
  certificate: z._default(
    z
      .discriminatedUnion("mode", [
        z.strictObject({ mode: z.literal("selfSigned") }),
        z.strictObject({
          mode: z.literal("provided"),
          bundleFile: z.optional(
            text(
              {
                what: pathOfFile,
                meaning:
                  "The file with the certificates, PEM: the server's own and its issuers in any order, up to one that a public " +
                  "authority signed or to your own root. `~/` is your home folder.",
                without: "`bundle` must be set",
                example: "CHAIN.pem",
              },
              notText,
            ),
          ),
          bundle: z.optional(
            text({ what: "a certificate", meaning: "The text of `bundleFile`.", example: "CHAIN.pem" }),
          ),
          keyFile: z.optional(
            text(
              {
                what: pathOfFile,
                meaning: "The file with the private key, PEM: PKCS #1, SEC 1 or PKCS #8.",
                example: "SERVER.key",
              },
              notText,
            ),
          ),
          key: z.optional(secret({ what: "a private key", meaning: "The text of `keyFile`." })),
          passphrase: z.optional(
            secret({
              what: "a passphrase",
              meaning: "Opens the key, if it is encrypted.",
              without: "the key is not encrypted",
            }),
          ),
        }),
        acme,
      ])
      .register(abouts, {
        what: "a mode",
        meaning:
          "`mode: selfSigned`: the stack has its own authority (valid for 10 years), which clients trust once, and a certificate from " +
          "it (90 days; `make up` renews it in the last 30). `mode: provided`: your own certificate, for one name or a wildcard, " +
          "by `bundleFile` or `bundle`, and `keyFile` or `key`. A certificate that Docker, curl, OpenSSL or browsers would refuse " +
          "is reported before anything is created. There is only a warning for a P-521 or Ed25519 key, which browsers refuse, for a " +
          "validity of over 825 days, which macOS refuses, and in the last 30 days. `mode: acme`: an authority such as Let's " +
          "Encrypt issues a certificate for `hostname`, and it is renewed without an `up`.",
        without: "`mode: selfSigned`",
        example: "selfSigned",
        change: live,
      }),
    { mode: "selfSigned" },
  ),
};

const record = {
  zone: text(
    {
      what: "the name of a zone",
      meaning: "The zone that contains `hostname`. It must already exist.",
      example: "example.com",
    },
    zoneName,
  ),
  ttl: withDefault(
    number(30, 86_400, {
      what: "a whole number of seconds from 30 to 86400",
      meaning: "How long resolvers may cache the record, in seconds.",
      example: "60",
    }),
    300,
  ),
};

const dns = {
  dns: z.optional(
    z
      .discriminatedUnion("provider", [
        z.strictObject({ provider: z.literal("route53"), ...record }),
        z.strictObject({ provider: z.literal("digitalocean"), ...record }),
        z.strictObject({
          provider: z.literal("dnsimple"),
          ...record,
          account: number(0, Number.MAX_SAFE_INTEGER, {
            what: "the number of a DNSimple account",
            meaning: "The number of the account.",
            example: "1010",
          }),
          token: secret({ what: "an API token of the account", meaning: "An API token of the account." }),
          apiUrl: z.optional(
            text(
              {
                what: "an https URL",
                meaning: "The address of the API, to use another one.",
                without: "the public API of DNSimple",
                example: "https://api.sandbox.dnsimple.com",
              },
              // DNSimple's library always uses TLS.
              { holds: (given) => given.startsWith("https:") && URL.canParse(given) },
            ),
          ),
        }),
      ])
      .register(abouts, {
        what: "a DNS provider",
        meaning:
          "The `provider` that creates the DNS record from `hostname` to the machine, which needs an IPv4 address. Route 53 takes " +
          "over an existing record of that name. DigitalOcean and DNSimple create a second record, so remove the old one " +
          "first.",
        without: "no record; the output `records` lists the ones to create",
        example: "route53",
        change: "creates the new records and removes the old ones",
      }),
  ),
};

const care = {
  care: z.optional(
    z
      .strictObject({
        collect: z.optional(
          text(
            {
              what: "a time of day, or a day of the week and one",
              meaning:
                "When what no manifest needs is collected, in UTC: `03:30` every day, `Sun 03:30` every week. The first run of a stack only " +
                "tells what would go.",
              without: "never, unless somebody runs `make gc`",
              example: "03:30",
            },
            { holds: (given) => parseSchedule(given) !== undefined },
          ),
        ),
        grace: withDefault(
          number(grace.least / hour, 24 * 365, {
            what: `a whole number of hours from ${String(grace.least / hour)} to ${String(24 * 365)}`,
            meaning: "How long what no manifest needs is left where it is, in hours. No push may take longer.",
            example: "48",
          }),
          grace.default / hour,
        ),
        undo: withDefault(
          number(0, 24 * 365, {
            what: `a whole number of hours from 0 to ${String(24 * 365)}`,
            meaning:
              "How long what was collected can be put back by `make gc UNDO=…`, in hours. Until then it takes its room.",
            example: "72",
          }),
          undo.default / hour,
        ),
        warning: withDefault(
          number(1, 99, {
            meaning:
              "From how much of the disk used, in percent, the keeper says so in its log, and what could be put back goes for good.",
            example: "70",
          }),
          defaultLimits.warning,
        ),
        stop: withDefault(
          number(1, 99, {
            meaning: "From how much of the disk used, in percent, new pushes are refused.",
            example: "95",
          }),
          defaultLimits.stop,
        ),
      })
      .register(abouts, {
        what: "an object",
        meaning:
          "A keeper looks after the data while the registry serves: it collects what no manifest needs, which refuses nobody anything, " +
          "and has pushes refused before the disk is full.",
        without: "there is no keeper, and what is deleted or replaced keeps its room",
        example: "below",
        change: replacesJob,
        cure: (path) => configCommand("set", `${path}.collect`, "03:30"),
      }),
  ),
};

const word = pattern(/^[a-z0-9][a-z0-9.-]*$/);
const ubuntu = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id";

const networkList = (about: { meaning: string; needs?: string; without?: string; example: string }) =>
  z
    .array(
      text(
        { what: "a network such as 203.0.113.0/24 or 2001:db8::/32", meaning: "A network.", example: "203.0.113.7/32" },
        ...network,
      ),
    )
    .check(z.minLength(1))
    .register(abouts, {
      ...about,
      what: "a list of networks",
      change: live,
      cure: (path) => `name the networks, at least your own: ${configCommand("set", `${path}[0]`, "203.0.113.7/32")}`,
    });

const stopsMachine = "stops the machine for it";
const replacesMachine = "replaces the machine: the registry is down for some minutes, no data is lost";

const machine = {
  sshFrom: networkList({
    needs: "a list of networks that may connect",
    meaning: "The networks that may connect by SSH. It has no default, because only you know yours.",
    example: "[203.0.113.7/32]",
  }),
  registryFrom: withDefault(
    networkList({
      meaning: "The networks that may use the registry.",
      without: "all networks; users need a password",
      example: "[10.0.0.0/8]",
    }),
    [...everywhere],
  ),
  dataSize: withDefault(
    number(1, 16_000, {
      meaning: "The size of the data disk, GiB. It can grow but not shrink.",
      example: "100",
      change: live,
    }),
    50,
  ),
  generation: withDefault(
    number(1, 1_000_000, {
      meaning:
        "A different number replaces the machine with one from the current image. The data disk and the address move to it.",
      example: "2",
      change: replacesMachine,
    }),
    1,
  ),
};

/** The parts of the setting `host`, by target. */
export const hosts = {
  digitalocean: z.strictObject({
    region: withDefault(
      text(
        {
          what: "a region",
          meaning: "The region of the Droplet.",
          example: "nyc3",
          change: "is refused while a data disk exists",
        },
        word,
      ),
      "fra1",
    ),
    size: withDefault(
      text(
        {
          what: "a size of a Droplet",
          meaning: "The size of the Droplet.",
          example: "s-2vcpu-4gb",
          change: stopsMachine,
        },
        word,
      ),
      "s-1vcpu-2gb",
    ),
    image: withDefault(
      text(
        { what: "an image", meaning: "A Debian or Ubuntu image.", example: "debian-12-x64", change: replacesMachine },
        word,
      ),
      "ubuntu-24-04-x64",
    ),
    ...machine,
  }),
  aws: z.strictObject({
    size: withDefault(
      text(
        { what: "an instance type", meaning: "The instance type.", example: "m7i.large", change: stopsMachine },
        pattern(/^[a-z0-9-]+\.[a-z0-9-]+$/),
      ),
      "t3.small",
    ),
    image: withDefault(
      text(
        {
          what: "an AMI (ami-…) or the name of an SSM parameter",
          meaning: "A Debian or Ubuntu image: an AMI, or the name of an SSM parameter that holds one.",
          example: "ami-0123456789abcdef0",
          change: replacesMachine,
        },
        pattern(/^(ami-[0-9a-f]+|\/[\w./-]+)$/),
      ),
      ubuntu,
    ),
    subnet: z.optional(
      text(
        {
          what: "a subnet (subnet-…)",
          meaning: "The subnet of the instance.",
          without: "the first subnet of the default VPC in a zone that has `size`",
          example: "subnet-0123456789abcdef0",
          change: "is refused while a data disk exists in another zone",
        },
        pattern(/^subnet-[0-9a-f]+$/),
      ),
    ),
    ipv6: withDefault(
      flag({
        meaning: "Whether the instance gets an IPv6 address; the subnet must support that. Droplets always get one.",
        example: "true",
        change: `${live} and ${replacesProxy}`,
      }),
      false,
    ),
    ...machine,
  }),
  ssh: z.strictObject({
    address: text(
      {
        what: "a DNS name or an IPv4 address",
        meaning: "The address of the machine.",
        example: "203.0.113.7",
        change: "starts an empty registry there; no data is moved",
      },
      pattern(/^[A-Za-z0-9][A-Za-z0-9.-]*$/),
    ),
    port: withDefault(number(1, 65535, { meaning: "Its SSH port.", example: "2222", change: live }), 22),
    user: withDefault(
      text(
        { what: "the name of a user", meaning: "The user to sign in as.", example: "root", change: live },
        pattern(/^[a-z_][a-z0-9_-]*$/),
      ),
      "deploy",
    ),
    hostKey: text(
      {
        what: "the public host key of the machine",
        meaning:
          "Its public host key: what `cat /etc/ssh/ssh_host_ed25519_key.pub` prints there. A machine with another key is refused.",
        example: "'ssh-ed25519 AAAA…'",
        change: live,
      },
      pattern(/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( .*)?$/),
    ),
    keyFile: z.optional(
      text(
        {
          what: pathOfFile,
          meaning: "The file with your private key.",
          without: "the keys that your ssh uses by default",
          example: "~/.ssh/id_ed25519",
          change: live,
        },
        pattern(/^[^\0\r\n"]+$/),
      ),
    ),
  }),
} as const;

const host = z.unknown().register(abouts, {
  what: "an object",
  meaning: "The machine. Required for every target but `local`.",
  change: "has the effect described for each part",
  cure: (path) => configCommand("rm", path),
});

for (const each of Object.values(hosts)) each.register(abouts, abouts.get(host) as About);

/** All settings of a stack, by key. The parts of `host` depend on the target: see `hosts`. */
export const settings = z.strictObject({
  ...where,
  host: z.optional(host),
  ...endpoint,
  ...storage,
  ...containers,
  ...limits,
  ...access,
  ...certificates,
  ...care,
  ...dns,
});
