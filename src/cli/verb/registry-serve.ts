import { collect } from "#base";
import { askPassword } from "../ask-password.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { RegistryServing } from "../registry-serving.ts";
import type {
  registryCollectFlags,
  registryPasswordFlags,
  registryServeFlags,
} from "../table/registry-server.ts";

const maxPassword = 4096;

export const registryServe: Verb<typeof registryServeFlags> = async (context, { flags }) =>
  (await serving(context)).serve({
    ...flags,
    addr: flags.addr ?? "127.0.0.1:5000",
    root: rootOf(context, flags.root),
  });

export const registryCollect: Verb<typeof registryCollectFlags> = async (context, { flags }) =>
  (await serving(context)).collect({ ...flags, root: rootOf(context, flags.root) });

export const registryPassword: Verb<typeof registryPasswordFlags> = async (
  context,
  { flags, args: [file = "", user = ""] },
) => {
  const password = flags.delete ? undefined : await newPassword(context, flags["password-stdin"]);
  return (await serving(context)).setPassword({ file, user, password });
};

async function newPassword(context: Context, isPiped: boolean): Promise<string> {
  if (isPiped) {
    const bytes = await collect(context.stdin.read(), maxPassword, "the password");
    return bytes.toString().replace(/\r?\n$/, "");
  }
  const first = await askPassword(context, "New password: ");
  if ((await askPassword(context, "Again: ")) === first) return first;
  throw new Exit(1, "the two passwords differ; nothing was changed");
}

async function serving(context: Context): Promise<RegistryServing> {
  const { configDirectory, userCredentials } = await import("#client");
  const { env, out } = context;
  const credentials = userCredentials(configDirectory(env), env);
  return await context.options.local.registryServing({ out, env, credentials });
}

function rootOf({ env }: Context, root: string | undefined): string {
  return root ?? `${env.THIMBLE_DATA_ROOT || "/var/lib/thimble"}/registry`;
}
