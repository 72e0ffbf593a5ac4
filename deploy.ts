import * as pulumi from "@pulumi/pulumi";

import type { DockerHost } from "./components/hosts/dockerHost";
import { LocalDockerHost } from "./components/hosts/local";
import { PrivateRegistry } from "./components/privateRegistry";
import type { HostSettings, Settings } from "./settings";

/** Puts the registry that the settings describe on the host that they name. Containers are named after the stack. */
export function deploy(settings: Settings): PrivateRegistry {
  const name = `${pulumi.getProject()}-${pulumi.getStack()}`;
  return new PrivateRegistry(name, { ...settings, host: createHost(`${name}-host`, settings.host) });
}

function createHost(name: string, host: HostSettings): DockerHost {
  switch (host.target) {
    // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- one target so far
    case "local":
      return new LocalDockerHost(name, host);
    default:
      return host.target satisfies never;
  }
}
