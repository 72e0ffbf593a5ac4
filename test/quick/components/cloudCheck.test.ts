import assert from "node:assert/strict";

import { askAws } from "../../../clouds/aws/ask.ts";
import { askDigitalOcean } from "../../../clouds/digitalOcean/ask.ts";
import type { Problem } from "../../../settings/problems.ts";
import { type ProviderOutputs, record } from "../../support/mocks.ts";
import { hosts } from "../../support/settings.ts";

/** A plugin's error if the cloud refuses. */
function refused(message: string): () => never {
  return () => {
    throw Object.assign(new Error(), {
      details: `invocation returned an error: 1 error occurred:\n\t* ${message}\n\n`,
    });
  };
}

function lines(problems: readonly Problem[]): string[] {
  return problems.map(({ setting, wrong, cure }) => `${setting}: ${wrong}. ${cure}`);
}

describe("the check of DigitalOcean before anything is created", () => {
  const region = "digitalocean:index/getRegion:getRegion";
  const image = "digitalocean:index/getImage:getImage";
  const there: ProviderOutputs = {
    [region]: () => ({ sizes: ["s-1vcpu-1gb", "s-1vcpu-2gb"] }),
    [image]: () => ({ regions: ["fra1", "nyc3"] }),
    "digitalocean:index/getDroplets:getDroplets": () => ({ droplets: [] }),
  };

  async function problemsWith(settings: object, answers: ProviderOutputs = {}): Promise<string[]> {
    const check = () => askDigitalOcean("registry", { ...hosts.digitalocean, ...settings });
    return lines((await record(check, { ...there, ...answers })).built);
  }

  it("finds nothing wrong", async () => assert.deepEqual(await problemsWith({}), []));

  it("reports a size that the region doesn't have, and names the nearest", async () => {
    assert.deepEqual(await problemsWith({ size: "s-1vcpu-3gb" }), [
      "host.size: there is no size \"s-1vcpu-3gb\" in fra1. pulumi config set --path 'host.size' s-1vcpu-1gb",
    ]);
  });

  it("reports an unknown region and image together", async () => {
    const answers = { [region]: refused("Region does not exist: xyz1"), [image]: refused("GET: 404 not found") };
    assert.deepEqual(await problemsWith({ region: "xyz1", image: "windows" }, answers), [
      "host.region: DigitalOcean has no region \"xyz1\". pulumi config set --path 'host.region' fra1",
      "host.image: DigitalOcean has no image \"windows\". pulumi config set --path 'host.image' ubuntu-24-04-x64",
    ]);
  });

  it("reports an image that is in another region only, here the user's own by its number", async () => {
    const answers: ProviderOutputs = { [image]: ({ id }) => ({ regions: id === 4711 ? ["nyc3"] : [] }) };
    assert.deepEqual(await problemsWith({ image: "4711" }, answers), [
      "host.image: there is no image \"4711\" in fra1. pulumi config set --path 'host.image' ubuntu-24-04-x64",
    ]);
    assert.deepEqual(await problemsWith({ image: "4711", region: "nyc3" }, answers), []);
  });

  it("only warns about values that an existing machine has and that are no longer offered", async () => {
    const asked: unknown[] = [];
    const answers: ProviderOutputs = {
      "digitalocean:index/getDroplets:getDroplets": ({ filters }) => {
        asked.push(filters);
        return { droplets: [{}] };
      },
    };
    assert.deepEqual(await problemsWith({ size: "s-1vcpu-3gb" }, answers), []);
    assert.deepEqual(asked, [[{ key: "name", values: ["registry"] }]]);
    const unable = refused("Unable to load regions: GET: 401 Unable to authenticate you");
    assert.equal((await problemsWith({}, { ...answers, [region]: unable })).length, 1);
  });

  it("ignores a missing read permission", async () => {
    const forbidden = refused("GET: 403 You are not authorized to perform this operation");
    assert.deepEqual(await problemsWith({}, { [region]: forbidden, [image]: forbidden }), []);
  });

  it("reports a refused token once", async () => {
    const unable = refused("Unable to load regions: GET: 401 Unable to authenticate you");
    assert.deepEqual(await problemsWith({}, { [region]: unable, [image]: unable }), [
      "digitalocean:token: is not accepted. pulumi config set --secret digitalocean:token",
    ]);
  });

  it("reports an error of the cloud with its text", async () => {
    assert.deepEqual(await problemsWith({}, { [region]: refused("GET: 429 API rate limit exceeded.") }), [
      "target: DigitalOcean refuses the request or does not answer: GET: 429 API rate limit exceeded. fix what it reports, or try again later",
    ]);
  });
});

describe("the check of AWS before anything is created", () => {
  const type = "aws:ec2/getInstanceType:getInstanceType";

  async function problemsWith(settings: object, answers: ProviderOutputs = {}): Promise<string[]> {
    const there: ProviderOutputs = {
      [type]: () => ({ ebsNvmeSupport: "required" }),
      "aws:ec2/getInstances:getInstances": () => ({ ids: [] }),
    };
    const check = () => askAws("registry", { ...hosts.aws, ...settings });
    return lines((await record(check, { ...there, ...answers })).built);
  }

  it("finds nothing wrong", async () => assert.deepEqual(await problemsWith({ image: "ami-0a1b" }), []));

  it("reports an unknown instance type, and one whose disks have other names", async () => {
    const unknown = refused("InvalidInstanceType: The following supplied instance types do not exist: [t3.tiny]");
    assert.deepEqual(await problemsWith({ size: "t3.tiny" }, { [type]: unknown }), [
      "host.size: \"t3.tiny\" is not an instance type in this region. pulumi config set --path 'host.size' t3.small",
    ]);
    const old = () => ({ ebsNvmeSupport: "unsupported" });
    assert.deepEqual(await problemsWith({ size: "t2.small" }, { [type]: old }), [
      "host.size: \"t2.small\" is of an old generation, whose disks are not NVMe devices. pulumi config set --path 'host.size' t3.small",
    ]);
  });

  it("reports an unknown subnet and image together", async () => {
    const answers = {
      "aws:ec2/getVpc:getVpc": refused("no matching EC2 VPC found"),
      "aws:ec2/getSubnet:getSubnet": refused("no matching EC2 Subnet found"),
      "aws:ssm/getParameter:getParameter": refused("reading SSM Parameter: couldn't find resource"),
    };
    const cure = "pulumi config set --path 'host.subnet' subnet-0123456789abcdef0";
    const image =
      'host.image: there is no SSM parameter "/ubuntu/ami-id" in this region. ' +
      "pulumi config set --path 'host.image' ami-0123456789abcdef0";
    assert.deepEqual(await problemsWith({}, answers), [
      `host.subnet: is not set, and this region has no default VPC to take a subnet from. ${cure}`,
      image,
    ]);
    assert.deepEqual(await problemsWith({ subnet: "subnet-0a1b" }, answers), [
      `host.subnet: there is no "subnet-0a1b" in this region. ${cure}`,
      image,
    ]);
  });

  it("only warns about values that an existing machine has and that are no longer offered", async () => {
    const asked: unknown[] = [];
    const answers: ProviderOutputs = {
      [type]: () => ({ ebsNvmeSupport: "unsupported" }),
      "aws:ec2/getInstances:getInstances": ({ instanceTags }) => {
        asked.push(instanceTags);
        return { ids: ["i-1"] };
      },
    };
    assert.deepEqual(await problemsWith({}, answers), []);
    assert.deepEqual(asked, [{ Name: "registry" }]);
  });

  it("reports refused credentials once", async () => {
    const invalid = refused("api error InvalidClientTokenId: The security token is invalid.");
    assert.deepEqual(await problemsWith({}, { [type]: invalid, "aws:ec2/getVpc:getVpc": invalid }), [
      "aws: the credentials are not accepted. check that `aws sts get-caller-identity` works in this shell",
    ]);
  });

  it("reports an error of the cloud with its text", async () => {
    const exceeded = refused("api error RequestLimitExceeded: Request limit exceeded.");
    assert.deepEqual(await problemsWith({}, { [type]: exceeded }), [
      "target: AWS refuses the request or does not answer: api error RequestLimitExceeded: Request limit exceeded. fix what it reports, or try again later",
    ]);
  });
});
