/** The files that lie beside `nginx.conf`. Certificate and key bear the names that the 2015 proxy image gave them. */
export const configFiles = {
  conf: "nginx.conf",
  certificate: "docker-registry.crt",
  key: "docker-registry.key",
  htpasswd: ".htpasswd",
} as const;
