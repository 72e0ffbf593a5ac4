// Every setting, once: what it holds, what it is when it is left out, what it means, an example, and what a change does.
// From here come the check of a stack's settings, the `config` of Pulumi.yaml and docs/settings.md, by
// `node settings/generate.ts`. What settings mean for each other is in crossChecks.ts.

import * as z from "zod/mini";

import { roles } from "../components/access.ts";
import { configCommand } from "../components/commands.ts";
import { repositoryPattern } from "../components/proxy/nginx/registryApi.ts";
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
import { dataPath, hostname, image, size } from "./scalars.ts";
import { password, userName } from "./users.ts";

const elsewhere = "starts an empty registry elsewhere; nothing is moved";
const otherEngine =
  "starts an empty registry on the other engine. Run `make destroy` first, or the old one goes on running";
const replacesProxy = "replaces the proxy container";
const replacesRegistry = "replaces the registry container";
const live = "goes live";

export const targets = ["local", "ssh", "digitalocean", "aws"] as const;

const where = {
  target: unlessEmpty(
    withDefault(
      choice(targets, {
        what: "a target",
        meaning:
          "Where the registry runs. `local`: on a Docker engine that can be reached already. `ssh`: on a machine of yours. " +
          "`digitalocean`, `aws`: on a machine that is made for it.",
        example: "digitalocean",
        change: `${elsewhere}. Take another stack for it, or run \`make purge\` first`,
      }),
      "local",
    ),
  ),
  dockerHost: unlessEmpty(
    z.optional(
      text({
        what: "the address of a Docker engine",
        meaning:
          "The Docker engine, by address: `unix:///…`, `tcp://host:2376` or `ssh://user@host`. One at `tcp://` on another " +
          "machine needs DOCKER_CERT_PATH, the folder with `ca.pem`, `cert.pem` and `key.pem`.",
        without: "dockerContext, dockerMachine, DOCKER_HOST or the local socket, whichever is found first",
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
          "The Docker engine, by the name of a Docker context (`docker context ls`). The one that `docker context use` chose " +
          "does not count by itself.",
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
          "The Docker engine, by the name of a docker-machine (`docker-machine ls`). Its address and certificate are read from " +
          "its folder under MACHINE_STORAGE_PATH or `~/.docker/machine`.",
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
            "The name or IPv4 address that clients type. A loopback name is published on loopback only, any other on all " +
            "addresses of the machine.",
          without: "localhost on a local engine, else the machine's own address",
          example: "registry.example.com",
          change:
            "renews the certificate, live. Between a loopback name and another one it also replaces the proxy container",
        },
        hostname,
      ),
    ),
  ),
  port: withDefault(
    number(1, 65535, { meaning: "The TCP port that clients type.", example: "443", change: replacesProxy }),
    5043,
  ),
};

const storage = {
  dataPath: unlessEmpty(
    z.optional(
      text(
        {
          what: "an absolute folder of the engine's machine",
          meaning:
            "An absolute folder on the engine's machine for the images that are pushed, none of the system's. It and all in it " +
            "are given to user id 65532.",
          without: "a named volume, `private-registry-dev1-data` for the stack dev1",
          example: "/srv/registry",
          change: `${replacesRegistry}, which goes on with what is in the new folder; nothing is moved`,
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
  guessesPerMinute: withDefault(
    number(1, 40, {
      meaning:
        "How many passwords that are not known to be right one address may try per minute; in all it is 60. Who is signed in " +
        "is not limited.",
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
            "The largest body of one request: a number and `k`, `m` or `g` for KiB, MiB or GiB. Docker sends a layer in one; a " +
            "client that sends it in chunks may exceed it.",
          without: "any size",
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
    { what: "a name", meaning: "What the user types to sign in. It counts exactly as it is written.", example: "NAME" },
    ...userName,
  ),
  role: z._default(
    choice(roles, {
      what: "a role",
      meaning:
        "A `reader` pulls, a `writer` also pushes, an `admin` also lists the catalog and, where `deletion` is on, deletes. " +
        "Rules do not bind an admin.",
      example: "reader",
    }),
    "writer",
  ),
  password: z.optional(
    secret(
      {
        what: "a password",
        meaning: "1 to 72 bytes.",
        without: "one is generated; `make passwords` prints it",
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
        "Whole components of a repository's name: `team/app` is about `team/app` and `team/app/web`, not `team/apple`.",
      example: "team/app",
    },
    prefix,
  ),
  pull: names("The users who may pull. Those listed to push may pull as well.", "everybody"),
  push: names("The users who may push, as far as their role allows.", "those who may pull"),
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
          "Who may use the registry. The list replaces the default, so it names `admin` too. `make login` signs in as the first.",
        without: "one user `admin`, an admin with a generated password",
        change: "goes live at once: old passwords are void; whoever is not concerned stays signed in",
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
          "Who may use the repositories under a prefix, where roles alone would let more people in. Of several rules the one with " +
          "the longest prefix holds, alone. Roles still hold.",
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
            meaning: "The repositories that anybody may pull, by prefixes as a rule has them.",
            example: "[public]",
            change: live,
            cure: (path) => configCommand("set", `${path}[0]`, "public"),
          }),
      })
      .register(abouts, {
        what: "an object",
        meaning:
          "What anybody may pull without a password, at a port of its own, as clients send a password only where they are asked " +
          "for one. That port checks none: `docker login` succeeds there with any. A rule about who may pull holds there, too.",
        without: "nothing",
        change: "goes live; to add or remove it, or to change its port, replaces the proxy container",
        cure: (path) => configCommand("set", `${path}.port`, "5044"),
      }),
  ),
};

const pathOfFile = "the path of a file";

/** Not quoted: it may be the key. */
const notText: Check = {
  holds: (given) => !given.includes("-----BEGIN"),
  wrong: () => "is the text itself, not the path of a file",
};

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
                  "The file of the certificates, PEM: the server's own first, then each issuer in order, up to one that a public " +
                  "authority signed or to your own root. `~/` is your home.",
                without: "`bundle` is given instead",
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
                meaning: "The file of the private key, PEM, without a passphrase.",
                example: "SERVER.key",
              },
              notText,
            ),
          ),
          key: z.optional(secret({ what: "a private key", meaning: "The text of `keyFile`." })),
        }),
      ])
      .register(abouts, {
        what: "a mode",
        meaning:
          "`mode: selfSigned`: an authority of the stack's own (10 years), which clients trust once, and its certificate (90 days, " +
          "renewed by any `up` of the last 30). `mode: provided`: one that you bought, for one name or a wildcard, by `bundleFile` " +
          "or `bundle`, and `keyFile` or `key`. What Docker, curl, OpenSSL or browsers would refuse is refused before anything is " +
          "made; a P-521 or Ed25519 key, which browsers refuse, and one that is valid for over 825 days, which macOS refuses, are " +
          "taken with a warning.",
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
      meaning: "The zone, which must exist already and hold `hostname`.",
      example: "example.com",
    },
    pattern(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]*[a-z0-9]\.?$/i),
  ),
  ttl: withDefault(
    number(30, 86_400, {
      what: "a whole number of seconds from 30 to 86400",
      meaning: "How long resolvers keep the record, in seconds.",
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
                meaning: "Another address of the API.",
                without: "that of DNSimple itself",
                example: "https://api.sandbox.dnsimple.com",
              },
              // Their library speaks TLS whatever is written.
              { holds: (given) => given.startsWith("https:") && URL.canParse(given) },
            ),
          ),
        }),
      ])
      .register(abouts, {
        what: "a DNS provider",
        meaning:
          "The `provider` that makes the DNS record that points `hostname` at the machine, where that has an IPv4 address. " +
          "Route 53 takes over a record of that name that exists already; DigitalOcean and DNSimple make one beside it, so remove " +
          "the old one first.",
        without: "no record is made; the output `records` says which to make",
        example: "route53",
        change: "makes other records, and removes the old",
      }),
  ),
};

const everywhere = ["0.0.0.0/0", "::/0"];
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
      cure: (path) => `name the networks, yours at least: ${configCommand("set", `${path}[0]`, "203.0.113.7/32")}`,
    });

const stopsMachine = "stops the machine for it";
const replacesMachine = "replaces the machine: the registry is away for minutes, nothing is lost";

const machine = {
  sshFrom: networkList({
    needs: "who may connect",
    meaning: "The networks that may sign in by SSH. There is no default, as only you know yours.",
    example: "[203.0.113.7/32]",
  }),
  registryFrom: withDefault(
    networkList({
      meaning: "The networks that may use the registry.",
      without: "everybody, by password",
      example: "[10.0.0.0/8]",
    }),
    everywhere,
  ),
  dataSize: withDefault(
    number(1, 16_000, {
      meaning: "The size of the disk of the images, GiB. It can grow; it never shrinks.",
      example: "100",
      change: live,
    }),
    50,
  ),
  generation: withDefault(
    number(1, 1_000_000, {
      meaning:
        "Another number makes another machine, from the current image. Disk and address move to it, and with them all that was pushed.",
      example: "2",
      change: replacesMachine,
    }),
    1,
  ),
};

/** What the setting `host` holds, by target. */
export const hosts = {
  digitalocean: z.strictObject({
    region: withDefault(
      text(
        {
          what: "a region",
          meaning: "Where the Droplet is.",
          example: "nyc3",
          change: "is refused while there is a disk",
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
        { what: "an image", meaning: "A Debian or Ubuntu.", example: "debian-12-x64", change: replacesMachine },
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
          meaning: "A Debian or Ubuntu: an AMI, or the name of an SSM parameter that holds one.",
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
          meaning: "Where the instance is.",
          without: "the first subnet of the default VPC in a zone that has `size`",
          example: "subnet-0123456789abcdef0",
          change: "is refused while there is a disk in another zone",
        },
        pattern(/^subnet-[0-9a-f]+$/),
      ),
    ),
    ipv6: withDefault(
      flag({
        meaning: "Whether the instance gets an IPv6 address, which the subnet must have. Droplets always do.",
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
        meaning: "The machine.",
        example: "203.0.113.7",
        change: "starts an empty registry there",
      },
      pattern(/^[A-Za-z0-9][A-Za-z0-9.-]*$/),
    ),
    port: withDefault(number(1, 65535, { meaning: "The port of its SSH.", example: "2222", change: live }), 22),
    user: withDefault(
      text(
        { what: "the name of a user", meaning: "As whom to sign in.", example: "root", change: live },
        pattern(/^[a-z_][a-z0-9_-]*$/),
      ),
      "deploy",
    ),
    hostKey: text(
      {
        what: "the public host key of the machine",
        meaning:
          "Its public host key: what `cat /etc/ssh/ssh_host_ed25519_key.pub` prints there. No other machine is taken for it.",
        example: "'ssh-ed25519 AAAA…'",
        change: live,
      },
      pattern(/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/]+=*( .*)?$/),
    ),
    keyFile: z.optional(
      text(
        {
          what: pathOfFile,
          meaning: "Your private key.",
          without: "what your ssh takes by itself",
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
  meaning: "The machine, where the target has one of its own.",
  change: "does what its parts say",
  cure: (path) => configCommand("rm", path),
});

for (const each of Object.values(hosts)) each.register(abouts, abouts.get(host) as About);

/** What a stack's settings hold, by key. The setting `host` depends on the target: see `hosts`. */
export const settings = z.strictObject({
  ...where,
  host: z.optional(host),
  ...endpoint,
  ...storage,
  ...containers,
  ...limits,
  ...access,
  ...certificates,
  ...dns,
});
