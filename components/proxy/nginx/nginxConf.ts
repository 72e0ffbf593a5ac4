import { type Access, renderAccess } from "./access.ts";
import { renderPreconditions } from "./blobs.ts";
import { renderLog } from "./log.ts";
import { renderManifestCache } from "./manifests.ts";
import { renderMounted } from "./mounts.ts";
import { renderRefusals } from "./refusals.ts";
import { renderRoom, type Room } from "./room.ts";
import { type Admissions, admissions, renderServer, renderStatusServer, type Server } from "./server.ts";
import { renderPasswords, type SignIn } from "./signIn.ts";
import { renderTls, type Tls } from "./tls.ts";
import { renderTransfers, type Transfers } from "./transfers.ts";
import { renderUpstream, type Upstream } from "./upstream.ts";

/** Limits on requests of clients. */
export type ProxyLimits = Pick<SignIn, "guessesPerMinute"> & Transfers;

export interface NginxConf extends Access, Room, SignIn, Server, Tls, Transfers, Upstream {
  /** The TCP port on the container's loopback that reports the served revision and whether the registry answers. */
  readonly statusPort: number;
}

/**
 * The proxy's configuration, section by section. Paths are relative to the folder of the file, so that the same text
 * can be checked in one folder and served from another. The root file system is read-only; /tmp is in memory.
 *
 * @param admit How each audience is authenticated. Default: as in the product; a benchmark differs.
 */
export function renderNginxConf(conf: NginxConf, admit: Admissions = admissions): string {
  return `\
worker_processes auto;
pid /tmp/nginx.pid;
pcre_jit on;
error_log stderr warn;
# Why a configuration was not taken up, for whoever loaded it.
error_log /tmp/refused.log emerg;

events {
  worker_connections 4096;
}

http {
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;

  server_tokens off;
  default_type application/octet-stream;
  map_hash_bucket_size 1024;
  map_hash_max_size 16384;

${renderLog()}
${renderPasswords(conf)}
${renderAccess(conf)}
${renderRefusals()}
${renderUpstream(conf)}
${renderManifestCache()}
${renderPreconditions()}
${renderMounted()}
${renderRoom(conf)}
${renderTls(conf)}
${renderTransfers(conf)}
${renderStatusServer(conf)}
${conf.endpoints.map((endpoint) => renderServer(endpoint, conf, admit)).join("\n")}}
`;
}
