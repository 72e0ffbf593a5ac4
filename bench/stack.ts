import { configFiles } from "../components/proxy/nginx/files.ts";
import type { Checkout } from "../test/support/checkout.ts";
import { docker, interruptible } from "./commands.ts";

/** The proxy's configuration files, by purpose. */
export type ProxyFiles = Readonly<Record<keyof typeof configFiles, string>>;

/** Brings a stack up as `make up` does. Returns the files of its proxy. */
export async function startStack(checkout: Checkout): Promise<ProxyFiles> {
  await interruptible(() => checkout.configure());
  const { code, output } = await interruptible((options) => checkout.make("up", options));
  if (code !== 0) throw new Error(output);
  const contents = { ...configFiles } as Record<keyof typeof configFiles, string>;
  for (const [key, file] of Object.entries(configFiles))
    contents[key as keyof typeof configFiles] = await docker(
      ...["exec", `${checkout.name}-proxy`, "cat", `/etc/proxy/current/${file}`],
    );
  // The last line is nobody's: only this proxy wants it.
  return { ...contents, htpasswd: contents.htpasswd.split("\n").slice(0, -1).join("\n") };
}
