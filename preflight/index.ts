import * as pulumi from "@pulumi/pulumi";

import { clouds, type CloudHosts, type CloudTarget } from "../clouds/index.ts";
import { challengePortOf } from "../components/certificate/certificate.ts";
import { type OpenPorts, publishedOn } from "../components/endpoint.ts";
import type { HostSettings } from "../settings/host.ts";
import { engineOf, type Parsed, type Reading, type Settings } from "../settings/index.ts";
import { type Problem, SettingsError } from "../settings/problems.ts";
import { checkEngine } from "./engine.ts";
import { connectTo } from "./engineClient.ts";

/**
 * Asks the engine or the cloud whether it can do what the settings need. Changes nothing there.
 *
 * @throws SettingsError with every problem at once, before any resource exists. A preview works without an engine.
 */
export async function askHost({ settings, problems }: Reading): Promise<Settings> {
  const name = `${pulumi.getProject()}-${pulumi.getStack()}`;
  const found = [...problems];
  const report = await askEngine(settings, `${name}-proxy`);
  if (!report.reachable && pulumi.runtime.isDryRun()) {
    for (const { wrong } of report.problems)
      void pulumi.log.warn(`${wrong}. A preview works without it, an update doesn't.`);
  } else {
    found.push(...report.problems);
  }
  if (found.length === 0) found.push(...(await askCloud(settings.host, `${name}-host`)));
  if (found.length > 0) throw new SettingsError(pulumi.getStack(), found);
  return settings as Settings;
}

/** Asks the engine even if other settings are wrong, so that all problems are reported together. */
async function askEngine({ host, hostname, port, anonymous, certificate, care, images }: Parsed, proxyName: string) {
  const acme = certificate?.mode === "acme" ? certificate : undefined;
  const challengePort = challengePortOf(certificate);
  const engine = engineOf(host);
  if (engine === undefined) return { reachable: true, problems: [] };
  return checkEngine(engine, connectTo(engine), {
    engineSetting: engine.setting,
    ports: {
      port: port ?? 0,
      ...(anonymous && { "anonymous.port": anonymous.port }),
      ...(challengePort !== undefined && { "certificate.httpPort": challengePort }),
    },
    publishedOn: publishedOn(hostname ?? engine.address),
    proxyName,
    images: {
      registryImage: images?.registry ?? "",
      proxyImage: images?.proxy ?? "",
      ...(acme && { legoImage: images?.lego ?? "" }),
      ...((acme ?? care) && { nodeImage: images?.node ?? "" }),
    },
  });
}

/** Asks the cloud. The settings must be valid. */
async function askCloud(host: HostSettings | undefined, name: string): Promise<Problem[]> {
  if (host === undefined || "engine" in host) return [];
  return ask(name, host);
}

function ask<T extends CloudTarget>(name: string, host: { readonly target: T } & Omit<CloudHosts[T], keyof OpenPorts>) {
  return clouds[host.target].ask(name, host);
}
