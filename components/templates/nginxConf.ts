export interface NginxConf {
  /** The names that clients type. */
  readonly serverName: string;
  /** The TCP port inside the container; unprivileged. */
  readonly port: number;
  /** The TCP port, on the container's own loopback, that tells which generation is served and whether the registry answers. */
  readonly statusPort: number;
  /** The registry on the private network: `host:port`. */
  readonly registry: string;
  /** Names this configuration, so that a reload can be seen to have happened. Letters and digits. */
  readonly generation: string;
}

/** The files that lie beside `nginx.conf`. Certificate and key bear the names that the 2015 proxy image gave them. */
export const configFiles = {
  conf: "nginx.conf",
  certificate: "docker-registry.crt",
  key: "docker-registry.key",
  htpasswd: ".htpasswd",
} as const;

/**
 * The proxy's configuration. Relative paths are those of the folder that it lies in, so that the same text can be
 * checked in one place and served from another. The root file system is read-only; /tmp is memory.
 */
export function renderNginxConf(conf: NginxConf): string {
  return `\
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr warn;

events {
  worker_connections 1024;
}

http {
  client_body_temp_path /tmp/client_body;
  proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi;
  scgi_temp_path /tmp/scgi;

  server_tokens off;
  default_type application/octet-stream;

  log_format requests escape=json
    '{"time":"$time_iso8601","client":"$remote_addr","user":"$remote_user","method":"$request_method",'
    '"path":"$uri","status":$status,"bytes":$bytes_sent,"seconds":$request_time}';
  access_log /dev/stdout requests;

  # The registry may come back under another address: its name is asked for again.
  resolver 127.0.0.11 valid=5s ipv6=off;
  upstream registry {
    zone registry 64k;
    server ${conf.registry} resolve;
    keepalive 32;
  }
  proxy_http_version 1.1;

  # The registry sends this too; clients are to see it once.
  proxy_hide_header Docker-Distribution-Api-Version;
  add_header Docker-Distribution-Api-Version registry/2.0 always;

  # For the container's own health check and for whoever loads a configuration.
  server {
    listen 127.0.0.1:${String(conf.statusPort)};
    access_log off;
    location = /generation {
      default_type text/plain;
      return 200 ${conf.generation};
    }
    location = /ready {
      proxy_set_header Connection "";
      proxy_pass http://registry/;
    }
  }

  server {
    listen ${String(conf.port)} ssl;
    server_name ${conf.serverName};

    ssl_certificate ${configFiles.certificate};
    ssl_certificate_key ${configFiles.key};
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:4m;
    ssl_session_timeout 1h;

    # Images are as large as they are, and pass through as they come.
    client_max_body_size 0;
    proxy_request_buffering off;
    proxy_buffering off;
    proxy_read_timeout 900s;
    proxy_send_timeout 900s;

    auth_basic "private registry";
    auth_basic_user_file ${configFiles.htpasswd};
    error_page 401 @unauthorized;

    location /v2/ {
      proxy_set_header Connection "";
      # With its port, or the registry sends uploads to a wrong place.
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header Authorization "";
      proxy_pass http://registry;
    }

    location / {
      return 404;
    }

    location @unauthorized {
      auth_basic off;
      default_type application/json;
      return 401 '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required","detail":null}]}';
    }
  }
}
`;
}
