import { configFiles } from "../components/proxy/nginx/files.ts";
import type { Checkout } from "../test/support/checkout.ts";
import { docker, interruptible } from "./commands.ts";

/** What the proxy is given, by what it is for. */
export type ProxyFiles = Readonly<Record<keyof typeof configFiles, string>>;

/** Brings a stack up as `make up` makes it; gives its proxy's files. */
export async function startStack(checkout: Checkout): Promise<ProxyFiles> {
  await interruptible(() => checkout.configure());
  const { code, output } = await interruptible((options) => checkout.make("up", options));
  if (code !== 0) throw new Error(output);
  const contents = { ...configFiles } as Record<keyof typeof configFiles, string>;
  for (const [key, file] of Object.entries(configFiles))
    contents[key as keyof typeof configFiles] = await docker(
      ...["exec", `${checkout.name}-proxy`, "cat", `/etc/proxy/current/${file}`],
    );
  return contents;
}
