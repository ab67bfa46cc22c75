import { askPassword } from "./ask-password.ts";
import type { Context } from "./context.ts";
import { Exit } from "./failure.ts";
import type { RegistryVerbs } from "./registry-verbs.ts";

/** The commands that speak to registries, with the user's own credentials. */
export async function registryVerbs(context: Context): Promise<RegistryVerbs> {
  const { configDirectory, userCredentials } = await import("#client");
  const directory = configDirectory(context.env);
  return await context.options.local.registryVerbs({
    out: context.out,
    env: context.env,
    configDirectory: directory,
    credentials: userCredentials(directory, context.env),
    askPassword: (prompt) => askPassword(context, prompt),
  });
}

/** A flag without which the command means nothing. */
export function required(name: string, value: string | undefined): string {
  if (value) return value;
  throw new Exit(1, `required flag(s) "${name}" not set`);
}
