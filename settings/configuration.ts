/** The settings of a stack as Pulumi hands them over: text by key, without the project's name. Secrets are in clear. */
export type RawSettings = Readonly<Record<string, string>>;

/** All that a stack configures, as Pulumi hands it over: `PROJECT:KEY`, and what is for the providers of clouds. */
export type Configuration = Readonly<Record<string, string>>;

/** The settings among what a stack configures. */
export function ownSettings(project: string, configuration: Configuration): RawSettings {
  const prefix = `${project}:`;
  const own = Object.entries(configuration).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}
