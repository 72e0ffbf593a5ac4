import type { NginxConf } from "../../components/proxy/nginx/nginxConf.ts";

/** The proxy's configuration without users and settings. */
export const plainConf: NginxConf = {
  serverName: "registry.example",
  endpoints: [{ audience: "users", ports: [8443] }],
  statusPort: 8081,
  registries: ["stack-registry:5000"],
  dataFolder: "/data",
  users: [],
  passwordRevisions: {},
  rules: [],
  openPrefixes: [],
  guessesPerMinute: 30,
  registryPort: 5043,
  isRenewed: false,
  isWatched: true,
  revision: "0123456789abcdef",
};
