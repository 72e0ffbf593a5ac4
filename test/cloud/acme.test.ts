import assert from "node:assert/strict";
import type { X509Certificate } from "node:crypto";

import { askCertificate } from "../../cli/status/certificate.ts";
import { namesOf } from "../../components/certificate/chain.ts";
import type { Outputs } from "../../components/outputs.ts";
import { oneOf } from "../support/matrix.ts";
import { Authority } from "../support/pebble.ts";
import { type CloudTarget, RemoteCheckout, stacks, zones } from "../support/remote.ts";
import { TestCloud } from "../testCloud/testCloud.ts";

const hour = 3600;

for (const target of oneOf(Object.keys(stacks) as CloudTarget[])) {
  describe(`a certificate that an authority issues on ${target}`, function () {
    this.timeout(10 * 60_000);

    let cloud: TestCloud;
    let authority: Authority;
    let checkout: RemoteCheckout;
    let outputs: Outputs;

    before(async () => {
      cloud = await TestCloud.start({ zones, allImages: true });
      authority = await Authority.start({
        ...{ httpPort: 80, listen: cloud.gateway },
        profiles: { default: 90 * 24 * hour, shortlived: 160 * hour },
      });
      checkout = new RemoteCheckout(cloud);
      await checkout.configure({
        target,
        host: { ...stacks[target].host, registryFrom: [`${cloud.gateway}/32`] },
        certificate: {
          ...{ mode: "acme", server: authority.directory },
          authority: `${await authority.root()}${authority.tlsRoot}`,
        },
      });
    });

    after(async () => {
      await checkout.dispose();
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
      await authority.names.setA(hostname, outputs.address);
      const ids = await checkout.containers("proxy");
      checkout.set({ hostname, dns });
      outputs = await checkout.up();
      // Which profile it has is up to the authority.
      assert.deepEqual(namesOf(await shown()), [hostname]);
      assert.deepEqual(await checkout.containers("proxy"), ids);
    });
  });
}
