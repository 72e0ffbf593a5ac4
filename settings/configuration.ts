/** The settings of a stack as Pulumi passes them: text by key without the project's name, secrets in clear text. */
export type RawSettings = Readonly<Record<string, string>>;

/** The whole configuration of a stack, as Pulumi passes it: `PROJECT:KEY`, and the settings of cloud providers. */
export type Configuration = Readonly<Record<string, string>>;

/** The settings of this project in a stack's configuration. */
export function ownSettings(project: string, configuration: Configuration): RawSettings {
  const prefix = `${project}:`;
  const own = Object.entries(configuration).filter(([key]) => key.startsWith(prefix));
  return Object.fromEntries(own.map(([key, value]) => [key.slice(prefix.length), value]));
}
