import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

import { cached } from "../support/cache.ts";
import { succeed } from "../support/run.ts";

const source = "test/aws/plugin";
const provider = "github.com/hashicorp/terraform-provider-aws";

/** The files of the provider that name all of its services, and those that are left in them. */
const narrowed: Readonly<Record<string, readonly string[]>> = {
  "internal/provider/sdkv2/service_packages_gen.go": ["ec2", "iam", "route53", "ssm", "sts"],
  // Some of these are asked by others.
  "internal/conns/awsclient_gen.go": ["account", "ec2", "iam", "organizations", "route53", "s3", "ssm", "sts"],
};

/**
 * Gives the folder of the resource plugin for AWS, with the version of the npm package. It is built once.
 *
 * Only a few of the provider's 260 services are built, each with all of its code: all of them would take seven times as
 * long and 12 GB of memory.
 */
export async function awsPlugin(): Promise<string> {
  const { version } = JSON.parse(readFileSync("node_modules/@pulumi/aws/package.json", "utf8")) as { version: string };
  const hash = createHash("sha256");
  for (const path of [...filesIn(source), "test/aws/plugin.ts"]) hash.update(path).update(readFileSync(path));
  const key = hash.digest("hex").slice(0, 12);
  return cached(`aws-plugin-${version}-${key}`, (path) => build(version, path));
}

async function build(version: string, path: string): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "aws-plugin-"));
  try {
    const options = ["-trimpath", "-buildvcs=false", "-ldflags", `-s -w -X main.version=${version}`];
    mkdirSync(path);
    await go("build", ...(await replaced(folder)), ...options, "-o", join(path, "pulumi-resource-aws"), ".");
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The options for a build of those services only. Go replaces nothing in its module cache, but what a link leads to. */
async function replaced(folder: string): Promise<string[]> {
  const { Dir } = JSON.parse(await go("mod", "download", "-json", provider)) as { Dir: string };
  const link = join(folder, "provider");
  symlinkSync(Dir, link);

  const modfile = join(folder, "go.mod");
  for (const file of ["go.mod", "go.sum"]) cpSync(join(source, file), join(folder, file));
  await go("mod", "edit", `-replace=${provider}=${link}`, modfile);

  const overlay = join(folder, "overlay.json");
  const files = Object.entries(narrowed).map(([file, services]) => {
    const short = join(folder, basename(file));
    writeFileSync(short, narrow(readFileSync(join(Dir, file), "utf8"), services));
    return [join(link, file), short];
  });
  writeFileSync(overlay, JSON.stringify({ Replace: Object.fromEntries(files) as Record<string, string> }));
  return ["-modfile", modfile, "-overlay", overlay];
}

/** Leaves out of a Go file what is about other services: imports, clients and entries of the list. */
function narrow(text: string, services: readonly string[]): string {
  const others = (whole: string, service: string) => (services.includes(service) ? whole : "");
  return text
    .replaceAll(/^\t(?:\w+ )?".*\/service\/(\w+)"\n/gm, others)
    .replaceAll(/^\t\t(\w+)\.ServicePackage\(ctx\),\n/gm, others)
    .replaceAll(/^func \(c \*AWSClient\) \w+\(ctx context\.Context\) \*(\w+)\.Client \{\n[^}]*\}\n/gm, others);
}

function go(...args: string[]): Promise<string> {
  const env = { ...process.env, CGO_ENABLED: "0", GOFLAGS: "-mod=readonly", GOWORK: "off" };
  return succeed("go", args, { cwd: source, env });
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
