import { Fault, isFault } from "#base";
import { imageOf, type Project, textAt } from "#compose";
import { familiarName, familiarString, parseReference, withDefaultTag } from "#image";
import type { Report } from "#orchestrator";
import type { Mapping } from "#yaml";
import type { Context } from "../context.ts";
import { authFor } from "../registry-auth.ts";

/** What is done about images before containers are made. */
export interface ImageOptions {
  /** "always", "missing" or "never"; absent for what each service says. */
  readonly pull?: string | undefined;
  readonly isQuiet: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * The ids of the images of services, by service; images that are missing are pulled. One that stays
 * missing has no id: creating its containers fails with the engine's words.
 * @throws Fault "unsupported" for an image that has to be built
 */
export async function serviceImages(
  context: Context,
  project: Project,
  options: ImageOptions,
): Promise<ReadonlyMap<string, string>> {
  const services = [...project.services].map(([name, service]) => {
    const image = imageOf(project, name, service);
    return { name, service, image };
  });
  const stored = await storedImages(context);
  const missing = new Map<string, { name: string; service: Mapping }>();
  for (const { name, service, image } of services) {
    if (isPulled(service, options.pull, stored.has(plainName(image)))) {
      missing.set(image, { name, service });
    }
  }
  if (missing.size > 0) {
    await Promise.all(
      [...missing].map(async ([image, { name, service }]) => {
        if (service.has("build") && !stored.has(plainName(image))) {
          const problem = `service "${name}" has no image yet: build "${image}" first`;
          throw new Fault("unsupported", `${problem}, or take one that is stored or pulled`);
        }
        await pullImage(context, { image, name, service }, options);
      }),
    );
  }
  const now = missing.size > 0 ? await storedImages(context) : stored;
  const found = await Promise.all(
    services.map(async ({ name, image }) => {
      const id = now.get(plainName(image)) ?? (await idOf(context, image));
      return [name, id] as const;
    }),
  );
  return new Map(found.flatMap(([name, id]) => (id === undefined ? [] : [[name, id]])));
}

/** An image that is named by a part of its id, or by its digest, is not in the list by name. */
async function idOf(context: Context, image: string): Promise<string | undefined> {
  try {
    return (await context.client.images.inspect(image)).Id;
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

async function storedImages({ client }: Context): Promise<Map<string, string>> {
  const images = await client.images.list();
  return new Map(
    images.flatMap(({ Id, RepoTags }) => (RepoTags ?? []).map((tag) => [tag, Id] as const)),
  );
}

/** A name as lists of images have it: "debian" is "debian:latest". */
function plainName(image: string): string {
  try {
    return familiarString(withDefaultTag(parseReference(image)));
  } catch {
    return image;
  }
}

function isPulled(service: Mapping, asked: string | undefined, isStored: boolean): boolean {
  const policy = asked ?? (textAt(service, "pull_policy") || "missing");
  if (policy === "always") return !service.has("build");
  if (policy === "never") return false;
  return !isStored;
}

async function pullImage(
  context: Context,
  { image, name, service }: { image: string; name: string; service: Mapping },
  { signal, report }: ImageOptions,
): Promise<void> {
  const reference = withDefaultTag(parseReference(image));
  const auth = await authFor(context, familiarName(reference));
  report({ id: name, text: "Pulling", status: "working" });
  const messages = context.client.images.pull(
    familiarName(reference),
    reference.digest ?? reference.tag,
    { auth, signal, platform: textAt(service, "platform") || undefined },
  );
  for await (const { error } of messages) {
    if (error === undefined) continue;
    report({ id: name, text: `Error ${error}`, status: "error" });
    throw new Fault("internal", `Error response from daemon: ${error}`);
  }
  report({ id: name, text: "Pulled", status: "done" });
}
