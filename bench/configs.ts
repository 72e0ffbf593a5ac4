import { stringify } from "yaml";

import { admissions } from "../components/proxy/nginx/server.ts";

/** The port inside the containers of all subjects but this stack. */
export const tlsPort = 443;

/** The files with the certificate and the users, in the configuration folder of every subject. */
export const files = { certificate: "domain.crt", key: "domain.key", htpasswd: "nginx.htpasswd" } as const;
export const folder = "/etc/nginx/conf.d";

/** Accepts any user name without checking the password. */
export const withoutAuthentication: typeof admissions = {
  ...admissions,
  users: { renderBefore: () => "      set $signed_in yes;\n", renderLocations: () => "" },
};

/** The recipe of distribution's documentation (docs/content/recipes/nginx.md), with its settings. */
export const recipe = `\
events {
  worker_connections 1024;
}

http {
  upstream docker-registry {
    server registry:5000;
  }

  map $upstream_http_docker_distribution_api_version $docker_distribution_api_version {
    '' 'registry/2.0';
  }

  server {
    listen ${String(tlsPort)} ssl;
    server_name localhost;
    ssl_certificate ${folder}/${files.certificate};
    ssl_certificate_key ${folder}/${files.key};
    ssl_protocols TLSv1.1 TLSv1.2;
    ssl_ciphers 'EECDH+AESGCM:EDH+AESGCM:AES256+EECDH:AES256+EDH';
    ssl_prefer_server_ciphers on;
    ssl_session_cache shared:SSL:10m;
    client_max_body_size 0;
    chunked_transfer_encoding on;

    location /v2/ {
      auth_basic "Registry realm";
      auth_basic_user_file ${folder}/${files.htpasswd};
      add_header 'Docker-Distribution-Api-Version' $docker_distribution_api_version always;
      proxy_pass http://docker-registry;
      proxy_set_header Host $http_host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 900;
    }
  }
}
`;

/** One file over TLS, and nothing else. */
export const staticFile = `\
events {
}

http {
  sendfile on;

  server {
    listen ${String(tlsPort)} ssl;
    ssl_certificate ${folder}/${files.certificate};
    ssl_certificate_key ${folder}/${files.key};

    location / {
      root /data;
    }
  }
}
`;

/** @param user A line of an htpasswd file. */
export function caddyfile(user: string): string {
  return `\
{
  auto_https off
}

https://:${String(tlsPort)} {
  tls ${folder}/${files.certificate} ${folder}/${files.key}
  basic_auth {
    ${user.trim().replace(":", " ")}
  }
  reverse_proxy registry:5000
}
`;
}

/**
 * The registry's configuration in the official image, without its debug log and debug port, which would cost time. It
 * is explicit because an image built by airgap/ has no cache of blob descriptors.
 */
export function registryConfig(http: object = { addr: ":5000" }, auth?: object): string {
  return stringify({
    version: 0.1,
    log: { fields: { service: "registry" } },
    storage: {
      delete: { enabled: true },
      cache: { blobdescriptor: "inmemory" },
      filesystem: { rootdirectory: "/var/lib/registry" },
    },
    http,
    health: { storagedriver: { enabled: true, interval: "10s", threshold: 3 } },
    ...(auth && { auth }),
  });
}

/** The registry's own TLS and passwords. */
export const ownTlsAndHtpasswd = registryConfig(
  {
    addr: `:${String(tlsPort)}`,
    tls: { certificate: `${folder}/${files.certificate}`, key: `${folder}/${files.key}` },
  },
  { htpasswd: { realm: "Registry realm", path: `${folder}/${files.htpasswd}` } },
);
