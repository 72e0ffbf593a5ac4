import { type Audience, authorityOf } from "../../endpoint.ts";
import { renderBlobLocations } from "./blobs.ts";
import { renderChallengeServer } from "./challenges.ts";
import { renderManifestLocations } from "./manifests.ts";
import { renderMountLocation } from "./mounts.ts";
import { errorPage, renderRefusalLocations } from "./refusals.ts";
import { renderAuthRequest, renderSignInLocations } from "./signIn.ts";
import { refuseControlCharacters, renderRegistryLocations } from "./upstream.ts";

export interface Server {
  /** The name that clients type. */
  readonly serverName: string;
  readonly endpoints: readonly ServedEndpoint[];
  /** The TCP port that clients type to sign in. */
  readonly registryPort: number;
  /** The folder with the registry's files. */
  readonly dataFolder: string;
}

/** An endpoint, as seen inside the container. */
export interface ServedEndpoint {
  readonly audience: Audience;
  /** Unprivileged TCP ports, all with the same function. */
  readonly ports: readonly number[];
}

/** How a server authenticates its audience: directives that run before a request is answered, and their locations. */
export interface Admission {
  readonly renderBefore: () => string;
  readonly renderLocations: () => string;
}

/** How each audience of the registry is authenticated. */
export type Admissions = Readonly<Record<Exclude<Audience, "challenges">, Admission>>;

export const admissions: Admissions = {
  users: { renderBefore: renderAuthRequest, renderLocations: () => `${renderSignInLocations()}\n` },
  // Nobody signs in, so $user is empty.
  anybody: { renderBefore: () => "", renderLocations: () => "" },
};

/** The file that is there while the workers are about to end. */
const endingFile = "/tmp/ending";

/** The server of one endpoint. */
export function renderServer({ audience, ports }: ServedEndpoint, server: Server, admit: Admissions): string {
  return audience === "challenges"
    ? renderChallengeServer(ports, `https://${authorityOf(server.serverName, server.registryPort)}`)
    : renderRegistryServer(ports, server, admit[audience]);
}

function renderRegistryServer(
  ports: readonly number[],
  { serverName, dataFolder }: Server,
  { renderBefore, renderLocations }: Admission,
): string {
  // The server's own error pages don't apply where there is another one.
  const renderRoute = () => `\
      ${errorPage(403)}
      ${refuseControlCharacters}
${renderBefore()}\
      try_files /- $route;
`;
  return `\
  server {
${ports.map((port) => `    listen ${String(port)} ssl;\n`).join("")}\
    server_name ${serverName};

    location /v2/ {
      if (-f ${endingFile}) {
        return 418;
      }
      error_page 418 = @ending;
${renderRoute()}\
    }

    # These workers are about to end. They say so with each answer, as they close its connection.
    location @ending {
      keepalive_timeout 0;
${renderRoute()}\
    }

${renderLocations()}\
${renderRegistryLocations()}
${renderMountLocation(dataFolder)}
${renderManifestLocations(dataFolder)}
${renderBlobLocations(dataFolder)}
${renderRefusalLocations()}\
  }
`;
}

/** The server for the container's health check and for the loader of configurations. */
export function renderStatusServer({ statusPort, revision }: { statusPort: number; revision: string }): string {
  return `\
  server {
    listen 127.0.0.1:${String(statusPort)};
    access_log off;
    location = /revision {
      default_type text/plain;
      return 200 ${revision};
    }
    location = /ready {
      proxy_pass http://registry/;
    }
  }
`;
}
