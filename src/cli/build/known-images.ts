import { isFault } from "#base";
import { type Client, openClient } from "#client";
import type { KnownImage } from "#dockerfile";
import type { Context } from "../context.ts";
import { engineAnswers } from "../engine-answers.ts";

/** What the engine knows of these images, by name; nothing when none answers, and none is started for it. */
export async function knownImages(
  context: Context,
  names: readonly string[],
): Promise<ReadonlyMap<string, KnownImage>> {
  const known = new Map<string, KnownImage>();
  if (names.length === 0 || !(await canAsk(context))) return known;
  const client = openClient({ host: context.host.host });
  for (const name of names) {
    const image = await inspect(client, name);
    if (image) known.set(name, image);
  }
  return known;
}

/** Also an engine that the user named may be away: the checks do without it. */
async function canAsk(context: Context): Promise<boolean> {
  try {
    return await engineAnswers(context);
  } catch (error) {
    if (isFault(error, "unavailable")) return false;
    throw error;
  }
}

async function inspect(client: Client, name: string): Promise<KnownImage | undefined> {
  try {
    const { Config, Os, Architecture, Variant } = await client.images.inspect(name);
    return {
      platform: { os: Os, architecture: Architecture, ...(Variant ? { variant: Variant } : {}) },
      variables: texts(Config.Env),
      workdir: typeof Config.WorkingDir === "string" ? Config.WorkingDir : "",
      shell: texts(Config.Shell),
      triggers: texts(Config.OnBuild),
    };
  } catch (error) {
    if (isFault(error, "not_found") || isFault(error, "invalid")) return undefined;
    throw error;
  }
}

function texts(value: unknown): string[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [];
  return items.filter((item) => typeof item === "string");
}
