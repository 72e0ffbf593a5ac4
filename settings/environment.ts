import type { Configuration } from "./configuration.ts";

/** What settings are read in the light of: where engines are named, what clouds ask for, the time that certificates end. */
export interface Environment {
  readonly env: NodeJS.ProcessEnv;
  /** The settings of the clouds' own providers, `digitalocean:token`. Default: none. */
  readonly providers?: Configuration;
  /** Default: the user's. */
  readonly home?: string;
  readonly now: Date;
}
