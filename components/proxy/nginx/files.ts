/** `nginx.conf` and the files next to it. Certificate and key have the names of the 2015 proxy image. */
export const configFiles = {
  conf: "nginx.conf",
  certificate: "docker-registry.crt",
  key: "docker-registry.key",
  htpasswd: ".htpasswd",
} as const;

/** What the loader puts into the certificate's volume, unless there is a certificate. */
export const placeholderFiles = { certificate: "placeholder.crt", key: "placeholder.key" } as const;
