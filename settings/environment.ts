import type { Configuration } from "./configuration.ts";

/** What validation depends on in addition to the settings: environment variables, provider configuration, time. */
export interface Environment {
  readonly env: NodeJS.ProcessEnv;
  /** The settings of the cloud providers, such as `digitalocean:token`. Default: none. */
  readonly providers?: Configuration;
  /** The home folder. Default: the user's. */
  readonly home?: string;
  readonly now: Date;
}
