import assert from "node:assert/strict";
import { BlockList, isIPv4 } from "node:net";

import fc from "fast-check";

import { parseSettings } from "../../../settings/index.ts";
import { defaults } from "../../support/settings.ts";

/** The settings that the clouds' own providers need. */
const credentials = { "digitalocean:token": "dop_v1_0", "aws:region": "eu-central-1" };

/** Settings as a stack file has them, over the defaults of Pulumi.yaml. */
function parseWith(config: object, environment: { env?: NodeJS.ProcessEnv; providers?: Record<string, string> } = {}) {
  const raw = Object.entries(config).map(([key, value]) => [
    key,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return parseSettings(
    { ...defaults, ...(Object.fromEntries(raw) as Record<string, string>) },
    { env: {}, providers: credentials, home: "/nowhere", now: new Date(), ...environment },
  );
}

function problemsOf(...given: Parameters<typeof parseWith>): string[] {
  return parseWith(...given).problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);
}

const from = ["203.0.113.7/32"];
const everybody = ["0.0.0.0/0", "::/0"];
const hostKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIEx5QXVF4q0cU6Zk2iI4m8oR7sT9vWbYcZdAfBgChDkE";

/** The required settings of each target. */
const needed: Record<string, object> = {
  digitalocean: { sshFrom: from },
  aws: { sshFrom: from },
  ssh: { address: "203.0.113.10", hostKey },
};

describe("the setting host", () => {
  it("has a default for all but sshFrom, on a machine in a cloud", () => {
    const shared = { dataSize: 50, sshFrom: from, registryFrom: everybody, generation: 1 };
    assert.deepEqual(parseWith({ target: "digitalocean", host: needed["digitalocean"] }).settings.host, {
      target: "digitalocean",
      region: "fra1",
      size: "s-1vcpu-2gb",
      image: "ubuntu-24-04-x64",
      ...shared,
    });
    assert.deepEqual(parseWith({ target: "aws", host: needed["aws"] }).settings.host, {
      target: "aws",
      size: "t3.small",
      image: "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id",
      subnet: undefined,
      ipv6: false,
      ...shared,
    });
  });

  it("accepts other values, and numbers and switches as text, too", () => {
    const shared = { sshFrom: from, registryFrom: ["10.0.0.0/8"] };
    const droplet = { region: "nyc3", size: "c-2", image: "debian-12-x64", ...shared };
    const instance = { size: "m7i.large", image: "ami-0123456789abcdef0", subnet: "subnet-0a1b", ...shared };
    const { settings: ocean } = parseWith({
      target: "digitalocean",
      host: { ...droplet, dataSize: 16_000, generation: "2" },
    });
    assert.deepEqual(ocean.host, { target: "digitalocean", ...droplet, dataSize: 16_000, generation: 2 });
    const { settings: aws } = parseWith({ target: "aws", host: { ...instance, ipv6: "true", dataSize: "1" } });
    assert.deepEqual(aws.host, { target: "aws", ...instance, ipv6: true, dataSize: 1, generation: 1 });
  });

  const ubuntu = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id";
  for (const [target, key, value, wrong, example] of [
    ["digitalocean", "region", "Frankfurt 1", '"Frankfurt 1" is not a region', "fra1"],
    ["digitalocean", "size", ["c-2"], '["c-2"] is not a size of a Droplet', "s-1vcpu-2gb"],
    ["digitalocean", "image", "", '"" is not an image', "ubuntu-24-04-x64"],
    ["digitalocean", "dataSize", 0, "0 is not a whole number from 1 to 16000", "50"],
    ["digitalocean", "dataSize", 16_001, "16001 is not a whole number from 1 to 16000", "50"],
    ["digitalocean", "dataSize", true, "true is not a whole number from 1 to 16000", "50"],
    ["digitalocean", "generation", [3], "[3] is not a whole number from 1 to 1000000", "1"],
    ["digitalocean", "generation", 1.5, "1.5 is not a whole number from 1 to 1000000", "1"],
    ["aws", "size", "t3", '"t3" is not an instance type', "t3.small"],
    ["aws", "image", "ubuntu", '"ubuntu" is not an AMI (ami-…) or the name of an SSM parameter', ubuntu],
    ["aws", "subnet", "vpc-0a1b", '"vpc-0a1b" is not a subnet (subnet-…)', "subnet-0123456789abcdef0"],
    ["aws", "ipv6", "maybe", '"maybe" is neither true nor false', "false"],
    ["aws", "dataSize", "50 GiB", '"50 GiB" is not a whole number from 1 to 16000', "50"],
    ["ssh", "address", "::1", '"::1" is not a DNS name or an IPv4 address', "203.0.113.7"],
    ["ssh", "address", "-oProxyCommand=x", '"-oProxyCommand=x" is not a DNS name or an IPv4 address', "203.0.113.7"],
    ["ssh", "user", "-l", '"-l" is not the name of a user', "deploy"],
    ["ssh", "port", 65_536, "65536 is not a whole number from 1 to 65535", "22"],
    ["ssh", "hostKey", "SHA256:0", '"SHA256:0" is not the public host key of the machine', "'ssh-ed25519 AAAA…'"],
    ["ssh", "keyFile", {}, "{} is not the path of a file", "~/.ssh/id_ed25519"],
    ["ssh", "keyFile", "a\nProxyCommand x", '"a\\nProxyCommand x" is not the path of a file', "~/.ssh/id_ed25519"],
  ] as const) {
    it(`refuses ${target}'s ${key} ${JSON.stringify(value)}, and says what is accepted`, () => {
      const problems = problemsOf({ target, host: { ...needed[target], [key]: value }, hostname: "registry.example" });
      assert.deepEqual(problems, [`host.${key}: ${wrong}. pulumi config set --path 'host.${key}' ${example}`]);
    });
  }

  for (const target of ["digitalocean", "aws"]) {
    it(`must have sshFrom for a machine of ${target}, as only its user knows it`, () => {
      const cure = "name the networks, at least your own: pulumi config set --path 'host.sshFrom[0]' 203.0.113.7/32";
      const missing = [`host.sshFrom: is not set: a list of networks that may connect is needed. ${cure}`];
      assert.deepEqual(problemsOf({ target, host: {} }), missing);
      assert.deepEqual(problemsOf({ target }), missing);
      for (const sshFrom of [[], "0.0.0.0/0", { network: "0.0.0.0/0" }])
        assert.deepEqual(problemsOf({ target, host: { sshFrom } }), [
          `host.sshFrom: is not a list of networks. ${cure}`,
        ]);
    });
  }

  it("must have address and host key for a machine of the user's own", () => {
    assert.deepEqual(problemsOf({ target: "ssh", hostname: "registry.example" }), [
      "host.address: is not set: a DNS name or an IPv4 address is needed. pulumi config set --path 'host.address' 203.0.113.7",
      "host.hostKey: is not set: the public host key of the machine is needed. pulumi config set --path 'host.hostKey' 'ssh-ed25519 AAAA…'",
    ]);
  });

  it("is reported missing only once, without what follows from it", () => {
    const dns = { provider: "route53", zone: "example.com" };
    assert.deepEqual(
      parseWith({ target: "ssh", host: { hostKey }, dns }).problems.map(({ setting }) => setting),
      ["host.address", "hostname"],
    );
    assert.deepEqual(
      parseWith({ target: "aws", host: needed["aws"], hostname: "-x", dns }).problems.map(({ wrong }) => wrong),
      ['"-x" is neither a DNS name nor an IPv4 address'],
    );
    assert.equal(problemsOf({ host: "x" }).length, 1);
  });

  for (const hostname of ["localhost", "127.0.0.1"]) {
    it(`refuses a machine in a cloud under the name ${hostname}`, () => {
      for (const target of ["digitalocean", "aws"])
        assert.deepEqual(problemsOf({ target, host: needed[target], hostname }), [
          `hostname: "${hostname}" points each client at itself, not at a machine in a cloud. ` +
            "pulumi config set hostname registry.example.com",
        ]);
    });
  }

  it("is refused if the target has no machine of its own, or if it is no object", () => {
    assert.deepEqual(problemsOf({ host: { sshFrom: from } }), [
      "host: describes a machine, and the target local has none. pulumi config rm host, or pulumi config set target digitalocean",
    ]);
    assert.match(problemsOf({ target: "aws", host: "fra1" })[0] ?? "", /^host: is not an object\./);
  });

  it("names the nearest key for an unknown one", () => {
    for (const [target, key, near] of [
      ["digitalocean", "sshform", "sshFrom"],
      ["aws", "subnets", "subnet"],
      ["ssh", "hostkey", "hostKey"],
    ] as const) {
      assert.deepEqual(problemsOf({ target, host: { ...needed[target], [key]: "x" } }), [
        `host.${key}: there is no such setting. did you mean host.${near}? To remove it: pulumi config rm --path 'host.${key}'`,
      ]);
    }
  });

  it("refuses the keys of another target", () => {
    const shared = ["size", "image", "dataSize", "sshFrom", "registryFrom", "generation"];
    const keys: Record<string, readonly string[]> = {
      digitalocean: ["region", ...shared],
      aws: ["subnet", "ipv6", ...shared],
      ssh: ["address", "port", "user", "hostKey", "keyFile"],
    };
    const all = [...new Set(Object.values(keys).flat())];
    for (const [target, own] of Object.entries(keys)) {
      const host = Object.fromEntries(all.map((key) => [key, "x"]));
      const unknown = problemsOf({ target, host }).filter((problem) => problem.includes("there is no such setting"));
      const others = all.filter((key) => !own.includes(key));
      assert.deepEqual(
        unknown.map((problem) => problem.split(":")[0]).sort(),
        others.map((key) => `host.${key}`).sort(),
      );
    }
  });

  it("excludes an engine, and a folder for the data if the machine has a disk", () => {
    const engine = { dockerHost: "unix:///a.sock", dockerContext: "build", dockerMachine: "dev1" };
    const refused = (target: string, keys: string[]) =>
      keys.map((key) => `${key}: has no meaning with the target ${target}. pulumi config rm ${key}`);
    const all = { ...engine, dataPath: "/srv" };
    for (const target of ["digitalocean", "aws"])
      assert.deepEqual(problemsOf({ target, host: needed[target], ...all }), refused(target, Object.keys(all)));
    const { settings, problems } = parseWith({ target: "ssh", host: needed["ssh"], dataPath: "/srv/registry" });
    assert.deepEqual(problems, []);
    assert.equal(settings.host?.target === "ssh" && settings.host.dataPath, "/srv/registry");
    assert.deepEqual(
      problemsOf({ target: "ssh", host: needed["ssh"], ...engine }),
      refused("ssh", Object.keys(engine)),
    );
  });

  it("reserves port 22 of a machine in a cloud for SSH, as its firewall closes it to others", () => {
    const anonymous = { port: 22, prefixes: ["public"] };
    for (const target of ["digitalocean", "aws"]) {
      const told = (key: string) =>
        `${key}: port 22 is used by SSH on the machine. pulumi config set ${key.includes(".") ? `--path '${key}'` : key} 443`;
      assert.deepEqual(problemsOf({ target, host: needed[target], port: "22" }), [told("port")]);
      assert.deepEqual(problemsOf({ target, host: needed[target], anonymous }), [told("anonymous.port")]);
    }
    assert.deepEqual(problemsOf({ target: "ssh", host: { ...needed["ssh"], port: 2222 }, port: "22" }), []);
  });

  it("reports every problem at once", () => {
    const host = { size: "x", image: "x", subnet: "x", ipv6: "x", dataSize: "x", generation: "x", regoin: "x" };
    const networks = { sshFrom: ["203.0.113.7", "x", "y"], registryFrom: ["x"] };
    const problems = problemsOf(
      { target: "aws", host: { ...host, ...networks }, dockerHost: "x", port: "x", dns: { provider: "x" } },
      { providers: {} },
    );
    assert.deepEqual(problems.map((problem) => problem.split(": ")[0]).sort(), [
      "aws:region",
      "dns.provider",
      "dockerHost",
      "host.dataSize",
      "host.generation",
      "host.image",
      "host.ipv6",
      "host.registryFrom[0]",
      "host.regoin",
      "host.size",
      "host.sshFrom[1]",
      "host.sshFrom[2]",
      "host.subnet",
      "port",
    ]);
  });
});

describe("a network that may connect", () => {
  const networksOf = (...sshFrom: unknown[]) => {
    const { settings, problems } = parseWith({ target: "aws", host: { sshFrom } });
    return settings.host?.target === "aws" && problems.length === 0 ? settings.host.sshFrom : undefined;
  };

  it("is an address with a length, or without one for itself alone", () => {
    assert.deepEqual(
      networksOf("203.0.113.7", "203.0.113.0/24", "2001:db8::1", "2001:0DB8:0::/32", "0.0.0.0/0", "::/0"),
      ["203.0.113.7/32", "203.0.113.0/24", "2001:db8::1/128", "2001:db8::/32", "0.0.0.0/0", "::/0"],
    );
  });

  it("is passed to a cloud once, however often it is named", () => {
    assert.deepEqual(networksOf("203.0.113.7", "203.0.113.7/32", "203.0.113.7"), ["203.0.113.7/32"]);
  });

  for (const network of [
    ...["", "all", "example.com", "203.0.113", "203.0.113.256", "203.0.113.0/33", "203.0.113.0/", "203.0.113.0/-1"],
    ...["203.0.113.0/24/24", "203.0.113.0/255.255.255.0", " 203.0.113.7", "0xcb.0.0.7", "2001:db8::/129", "[::1]"],
    ...["fe80::1%eth0", "::ffff:203.0.113.7", "::ffff:203.0.113.0/120"],
  ]) {
    it(`is not ${JSON.stringify(network)}`, () => {
      assert.deepEqual(problemsOf({ target: "aws", host: { sshFrom: [...from, network] } }), [
        `host.sshFrom[1]: ${JSON.stringify(network)} is not a network such as 203.0.113.0/24 or 2001:db8::/32. ` +
          "pulumi config set --path 'host.sshFrom[1]' 203.0.113.7/32",
      ]);
    });
  }

  for (const [given, network] of [
    ["203.0.113.7/24", "203.0.113.0/24"],
    ["2001:db8::1/64", "2001:db8::/64"],
    ["10.0.0.1/0", "0.0.0.0/0"],
  ] as const) {
    it(`is suggested for ${given}, which clouds refuse or change`, () => {
      assert.deepEqual(problemsOf({ target: "aws", host: { sshFrom: [given] } }), [
        `host.sshFrom[0]: "${given}" is an address in the network ${network}: name the network, or the address alone. ` +
          `pulumi config set --path 'host.sshFrom[0]' ${network}`,
      ]);
    });
  }

  it("is accepted by the system's own parser, whatever text the settings accept", () => {
    const address = fc.oneof(
      fc.ipV4(),
      fc.ipV4Extended(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(...Array.from("01259af:./x")) }),
    );
    const length = fc.oneof(fc.integer({ min: -1, max: 200 }).map(String), fc.string({ maxLength: 4 }));
    const text = fc.tuple(address, fc.option(length)).map(([at, bits]) => (bits === null ? at : `${at}/${bits}`));
    fc.assert(
      fc.property(text, (network) => {
        const [accepted] = networksOf(network) ?? [];
        if (accepted === undefined) return;
        const [at = "", bits = ""] = accepted.split("/");
        const list = new BlockList();
        list.addSubnet(at, Number(bits), isIPv4(at) ? "ipv4" : "ipv6");
        assert.ok(list.check(at, isIPv4(at) ? "ipv4" : "ipv6"), accepted);
      }),
      { numRuns: 500 },
    );
  });
});

describe("a machine of one's own", () => {
  const engineOf = (host: object) => {
    const { settings, problems } = parseWith({ target: "ssh", host: { ...needed["ssh"], ...host } });
    assert.deepEqual(problems, []);
    assert.ok(settings.host?.target === "ssh");
    return settings.host.engine;
  };

  it("is reached by OpenSSH as deploy, with its host key only", () => {
    assert.deepEqual(engineOf({}), {
      host: "ssh://deploy@203.0.113.10",
      address: "203.0.113.10",
      foundBy: "host.address",
      setting: "host.address",
      sshOptions: [
        ...["-o", "BatchMode=yes"],
        ...["-o", "ConnectTimeout=15"],
        ...["-o", "StrictHostKeyChecking=yes"],
        ...["-o", "UserKnownHostsFile=/dev/null"],
        ...["-o", "GlobalKnownHostsFile=/dev/null"],
        ...["-o", "VerifyHostKeyDNS=no"],
        ...["-o", "NoHostAuthenticationForLocalhost=no"],
        ...["-o", "ControlPath=none"],
        ...["-o", "HostKeyAlgorithms=ssh-ed25519"],
        ...["-o", `KnownHostsCommand=/bin/echo %H ${hostKey}`],
      ],
    });
  });

  it("reports a private key in place of the host key without quoting it", () => {
    const hostKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk";
    const { problems } = parseWith({ target: "ssh", host: JSON.stringify({ address: "203.0.113.10", hostKey }) });
    assert.deepEqual(
      problems.map(({ wrong }) => wrong),
      ["a private key is not the public host key of the machine"],
    );
  });

  it("is reached as another user, at another port and with another key, if they are set", () => {
    const { host, address, sshOptions } = engineOf({ user: "root", port: 2222, keyFile: "~/.ssh/registry" });
    assert.equal(host, "ssh://root@203.0.113.10:2222");
    assert.equal(address, "203.0.113.10");
    assert.deepEqual(sshOptions.slice(-4), ["-o", "IdentitiesOnly=yes", "-o", 'IdentityFile="~/.ssh/registry"']);
  });

  it("has the comment of its host key ignored by OpenSSH", () => {
    const { sshOptions } = engineOf({ hostKey: `${hostKey} root@build; rm -rf /` });
    assert.equal(sshOptions.at(-1), `KnownHostsCommand=/bin/echo %H ${hostKey}`);
  });

  it("verifies an RSA key with today's hashes", () => {
    const { sshOptions } = engineOf({ hostKey: "ssh-rsa AAAAB3NzaC1yc2E" });
    assert.ok(sshOptions.includes("HostKeyAlgorithms=rsa-sha2-512,rsa-sha2-256"));
    assert.equal(sshOptions.at(-1), "KnownHostsCommand=/bin/echo %H ssh-rsa AAAAB3NzaC1yc2E");
  });

  it("must have an address that clients can type, or a hostname", () => {
    const named = { target: "ssh", host: { address: "build-.example", hostKey } };
    assert.match(problemsOf(named).join(), /^hostname: is not set, and the engine's address "build-\.example" /);
    assert.deepEqual(problemsOf({ ...named, hostname: "registry.example" }), []);
  });
});

describe("a cloud's credentials", () => {
  const token = "digitalocean:token: is not set: an API token is needed. pulumi config set --secret digitalocean:token";
  const region = "aws:region: is not set: a region is needed. pulumi config set aws:region eu-central-1";
  const stacks: Record<string, { readonly config: object; readonly missing: string }> = {
    "a Droplet": { config: { target: "digitalocean", host: needed["digitalocean"] }, missing: token },
    "an instance": { config: { target: "aws", host: needed["aws"] }, missing: region },
    "a record at DigitalOcean": {
      config: { target: "ssh", host: needed["ssh"], hostname: "r.example.com", dns: dns("digitalocean") },
      missing: token,
    },
    "a record at Route 53": {
      config: { target: "ssh", host: needed["ssh"], hostname: "r.example.com", dns: dns("route53") },
      missing: region,
    },
  };

  function dns(provider: string) {
    return { provider, zone: "example.com" };
  }

  for (const [what, { config, missing }] of Object.entries(stacks)) {
    it(`are reported missing before ${what} is created, and found in the settings or the environment`, () => {
      assert.deepEqual(problemsOf(config, { providers: {} }), [missing]);
      assert.deepEqual(problemsOf(config), []);
      const variables =
        missing === token ? ["DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN"] : ["AWS_REGION", "AWS_DEFAULT_REGION"];
      for (const name of variables) {
        assert.deepEqual(problemsOf(config, { providers: {}, env: { [name]: "x" } }), []);
        assert.deepEqual(problemsOf(config, { providers: {}, env: { [name]: "" } }), [missing]);
      }
    });
  }

  it("are needed of both clouds if machine and record are at different ones", () => {
    const config = { target: "digitalocean", host: needed["digitalocean"], hostname: "r.example.com" };
    assert.deepEqual(problemsOf({ ...config, dns: dns("route53") }, { providers: {} }), [token, region]);
  });

  it("are not needed if neither is created there", () => {
    assert.deepEqual(problemsOf({}, { providers: {} }), []);
    assert.deepEqual(problemsOf({ target: "ssh", host: needed["ssh"] }, { providers: {} }), []);
  });
});
