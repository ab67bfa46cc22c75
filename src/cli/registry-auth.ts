import { openDockerConfig } from "#client";
import { parseReference } from "#image";
import type { AuthConfig } from "#wire";
import type { Context } from "./context.ts";
import { failureText } from "./failure.ts";

/** The credentials for the registry of an image; a helper that fails is told, and the registry asked without. */
export async function authFor(context: Context, image: string): Promise<AuthConfig | undefined> {
  const { domain } = parseReference(image);
  try {
    const config = await openDockerConfig(context.env);
    return await config.credentials(domain);
  } catch (error) {
    await context.err.write(`WARNING: ${failureText(error)}\n`);
    return undefined;
  }
}
