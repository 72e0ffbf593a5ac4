import type { Settings } from "../../settings";

/** What a stack that sets nothing gets. */
export const settings: Settings = {
  host: {
    target: "local",
    engine: {
      host: "unix:///var/run/docker.sock",
      address: "localhost",
      foundBy: "the local socket",
      setting: "dockerHost",
    },
  },
  port: 5043,
  images: { registry: "registry:3.1.1", proxy: "nginx:1.30.6-alpine" },
  users: [{ name: "admin", role: "admin" }],
  rules: [],
  deletion: false,
  limits: { guessesPerMinute: 30 },
  certificate: { mode: "selfSigned" },
};
