import { servedFolders } from "../../certificate/served.ts";

/** The server at which an authority finds the answers to its challenges. Everybody else is led to the registry. */
export function renderChallengeServer(ports: readonly number[], url: string): string {
  return `\
  server {
${ports.map((port) => `    listen ${String(port)};\n`).join("")}\
    access_log off;
    location /.well-known/acme-challenge/ {
      root ${servedFolders.challenges};
      # What writes there faces the network, and is to publish nothing else.
      disable_symlinks on from=${servedFolders.challenges};
      default_type text/plain;
    }
    location / {
      return 301 ${url}$request_uri;
    }
  }
`;
}
