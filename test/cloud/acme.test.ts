import assert from "node:assert/strict";
import type { X509Certificate } from "node:crypto";

import { askCertificate } from "../../cli/status/certificate.ts";
import { namesOf } from "../../components/certificate/chain.ts";
import type { Outputs } from "../../components/outputs.ts";
import { itInTestLong, oneOf } from "../support/matrix.ts";
import { Authority } from "../support/pebble.ts";
import { type CloudTarget, RemoteCheckout, stacks, zones } from "../support/remote.ts";
import type { Aws } from "../testCloud/aws.ts";
import { DigitalOceanDns } from "../testCloud/digitalOceanDns.ts";
import { Route53 } from "../testCloud/route53.ts";
import { TestCloud } from "../testCloud/testCloud.ts";

const hour = 3600;

/** A zone of the same account, to which no certificate belongs. */
const otherZone = "example.edu";

for (const target of oneOf(Object.keys(stacks) as CloudTarget[])) {
  describe(`a certificate that an authority issues on ${target}`, function () {
    this.timeout(10 * 60_000);

    let cloud: TestCloud;
    let authority: Authority;
    let checkout: RemoteCheckout;
    let outputs: Outputs;
    let certificate: object;
    let api: DigitalOceanDns | Route53 | undefined;

    before(async () => {
      const route53 = [...zones.route53, otherZone];
      cloud = await TestCloud.start({ zones: { ...zones, route53 }, allImages: true });
      authority = await Authority.start({
        ...{ httpPort: 80, listen: cloud.gateway },
        profiles: { default: 90 * 24 * hour, shortlived: 160 * hour },
        nameServer: cloud.dns.address,
      });
      checkout = new RemoteCheckout(cloud);
      certificate = {
        ...{ mode: "acme", server: authority.directory, profile: "default" },
        authority: `${await authority.root()}${authority.tlsRoot}`,
      };
      await checkout.configure({
        target,
        host: { ...stacks[target].host, registryFrom: [`${cloud.gateway}/32`] },
        certificate: { ...certificate, profile: undefined },
      });
    });

    after(async () => {
      await checkout.dispose();
      await api?.stop();
      await authority.dispose();
      await cloud.dispose();
    });

    /** What the proxy shows at a handshake. */
    const shown = async () => (await askCertificate(outputs)).certificate;

    const hoursOf = ({ validFrom, validTo }: X509Certificate) =>
      Math.round((Date.parse(validTo) - Date.parse(validFrom)) / 1000 / hour);

    it("is for the machine's address where no hostname is set, and for some days only", async () => {
      outputs = await checkout.up();
      assert.equal(new URL(outputs.url).hostname, outputs.address);
      const certificate = await shown();
      assert.deepEqual([namesOf(certificate), hoursOf(certificate)], [[outputs.address], 160]);
      await checkout.assertUnchanged();
    });

    it("is answered for at a port that everybody reaches, whatever registryFrom says", async () => {
      const [machine] = cloud.machines;
      const { digitalOcean, aws } = cloud;
      const all = JSON.stringify((target === "digitalocean" ? digitalOcean.firewalls : aws.securityGroups).all);
      assert.match(all, target === "digitalocean" ? /"portRange":"80"[^}]*"0\.0\.0\.0\/0"/ : /"0\.0\.0\.0\/0"[^}]*80/);
      assert.ok(machine);
      const answer = await fetch(`http://${outputs.address}/`, { redirect: "manual" });
      assert.deepEqual([answer.status, answer.headers.get("location")], [301, `${outputs.url}/`]);
    });

    it("goes on with the next machine, without a new one", async () => {
      const before = await shown();
      const { length } = authority.log;
      checkout.set({ host: { ...stacks[target].host, registryFrom: [`${cloud.gateway}/32`], generation: 2 } });
      outputs = await checkout.up();
      assert.equal((await shown()).fingerprint256, before.fingerprint256);
      assert.doesNotMatch(authority.log.slice(length), /new-order|order-plz/i);
    });

    it("is for the hostname once that is set, which drops nothing", async () => {
      const { hostname, dns } = stacks[target];
      const ids = await checkout.containers("proxy");
      checkout.set({ hostname, dns, certificate });
      outputs = await checkout.up();
      assert.deepEqual([namesOf(await shown()), hoursOf(await shown())], [[hostname], 90 * 24]);
      assert.deepEqual(await checkout.containers("proxy"), ids);
    });

    it("is for a wildcard where the authority looks for a record in the zone, and no port is open for it", async () => {
      const { zone, provider } = stacks[target].dns;
      api = await zoneApis[target](cloud);
      const dns = { provider, apiUrl: api.url, resolvers: [cloud.dns.addressForMachines] };
      checkout.set({ certificate: { ...certificate, names: [`*.${zone}`, zone], dns } });
      if (api instanceof DigitalOceanDns) await checkout.setSecret("certificate.dns.token", api.token);
      outputs = await checkout.up();
      assert.deepEqual(namesOf(await shown()).sort(), [`*.${zone}`, zone]);
      const { digitalOcean, aws } = cloud;
      const rules = JSON.stringify((target === "digitalocean" ? digitalOcean.firewalls : aws.securityGroups).all);
      assert.doesNotMatch(rules, target === "digitalocean" ? /"portRange":"80"/ : /"fromPort":80\b/);
      await assert.rejects(fetch(`http://${outputs.address}/`, { signal: AbortSignal.timeout(2000) }));
      // Two answers were at the same name at once, and both are gone.
      assert.deepEqual(api.written, [`_acme-challenge.${zone}`]);
      assert.deepEqual(await cloud.resolve(`_acme-challenge.${zone}`, "TXT"), []);
      await checkout.assertUnchanged();
    });

    it("leaves no credentials of the operator on the machine, and those for the zone in no environment or log", async () => {
      const [machine] = cloud.machines;
      assert.ok(machine);
      const [lego = ""] = await checkout.containers("lego");
      const variable = (name: string) =>
        checkout.docker(["exec", lego, "sh", "-c", `cat "$SETTINGS/variables/${name}"`]);
      const secret = await variable(target === "aws" ? "AWS_SECRET_ACCESS_KEY" : "DO_AUTH_TOKEN");
      const everywhere = "/var/lib/docker /srv /etc /home /root /tmp";
      const foundIn = async (text: string) =>
        (await machine.succeed(`grep -rlF -e '${text}' ${everywhere} /proc/[0-9]*/environ 2>/dev/null || true`)).split(
          "\n",
        );
      for (const text of [cloud.aws.secretKey, cloud.digitalOcean.token]) assert.deepEqual(await foundIn(text), [""]);
      const places = await foundIn(secret);
      assert.ok(places.length > 0);
      // In the volume, and in the layer of the container that put it there, which only root may enter.
      const known =
        /^\/var\/lib\/docker\/(volumes\/[\w-]+-acme-settings\/_data\/\w+|overlay2\/\w+\/diff\/incoming)\/variables\/\w+$/;
      for (const place of places) assert.match(place, known);
      const { stdout } = await checkout.pulumi("stack", "output", "--json");
      assert.ok(!stdout.includes(secret));
    });

    if (target === "aws")
      it("is obtained by a user of AWS who can change nothing else", async () => {
        assert.ok(api instanceof Route53);
        const [lego = ""] = await checkout.containers("lego");
        const variable = (name: string) =>
          checkout.docker(["exec", lego, "sh", "-c", `cat "$SETTINGS/variables/${name}"`]);
        const [id, secret] = [await variable("AWS_ACCESS_KEY_ID"), await variable("AWS_SECRET_ACCESS_KEY")];
        await assertLimited(api, cloud.aws, id, secret);
      });

    itInTestLong("is dropped for the stack's own without a port to close, which replaces no container", async () => {
      const ids = await checkout.containers("proxy");
      checkout.set({ certificate: { mode: "selfSigned" } });
      outputs = await checkout.up();
      assert.deepEqual(await checkout.containers("proxy"), ids);
      if (target === "aws") assert.deepEqual([cloud.aws.users.all, cloud.aws.accessKeys.all], [[], []]);
    });
  });
}

const [zone] = zones.route53;

/** The API of the zone in which challenges are answered. */
const zoneApis = {
  digitalocean: ({ gateway, dns }: TestCloud) => DigitalOceanDns.start(gateway, zones.digitalOcean, dns),
  aws: ({ gateway, aws, dns }: TestCloud) => Route53.start(gateway, [zone, otherZone], aws, dns),
} as const;

/** Tries with a user's key, by Amazon's own client, what only others may. */
async function assertLimited(api: Route53, aws: Aws, id: string, secret: string): Promise<void> {
  const env = { AWS_ENDPOINT_URL: api.url, AWS_ACCESS_KEY_ID: id, AWS_MAX_ATTEMPTS: "1" };
  const ask = (service: string, operation: string, parameters: object, key = secret) =>
    api.moto.call(service, operation, parameters, { ...env, AWS_SECRET_ACCESS_KEY: key });
  const [own, other] = [zone, otherZone].map((each) => aws.zoneIdOf(each));
  const change = (HostedZoneId: string | undefined, ...records: (readonly [name: string, type: string])[]) => ({
    HostedZoneId,
    ChangeBatch: {
      Changes: records.map(([Name, Type]) => {
        const ResourceRecords = [{ Value: Type === "TXT" ? '"text"' : "192.0.2.66" }];
        return { Action: "UPSERT", ResourceRecordSet: { Name, Type, TTL: 60, ResourceRecords } };
      }),
    },
  });
  const challenge = [`_acme-challenge.${zone}`, "TXT"] as const;
  const address = [`registry.${zone}`, "A"] as const;
  const write = "change_resource_record_sets";
  await ask("route53", write, change(own, challenge));

  const UserName = aws.users.all[0]?.id;
  const refused: (readonly [service: string, operation: string, parameters: object])[] = [
    ["route53", write, change(own, address)],
    ["route53", write, change(own, [`registry.${zone}`, "TXT"])],
    ["route53", write, change(own, [`_acme-challenge.other.${zone}`, "TXT"])],
    ["route53", write, change(own, [`_acme-challenge.${zone}`, "CNAME"])],
    ["route53", write, change(own, challenge, address)],
    ["route53", write, change(other, challenge)],
    ["route53", "list_resource_record_sets", { HostedZoneId: other }],
    ["route53", "delete_hosted_zone", { Id: own }],
    ["route53", "create_hosted_zone", { Name: "example.info", CallerReference: "1" }],
    ["route53", "list_hosted_zones", {}],
    ["iam", "create_access_key", { UserName }],
    ["iam", "put_user_policy", { UserName, PolicyName: "more", PolicyDocument: "{}" }],
  ];
  for (const each of refused) await assert.rejects(ask(...each), /AccessDenied/, JSON.stringify(each));
  await assert.rejects(ask("route53", write, change(own, challenge), "another"), /SignatureDoesNotMatch/);
}
