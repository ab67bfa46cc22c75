import { Fault, isFault } from "#base";
import { imageOf, type Project, textAt } from "#compose";
import { familiarName, familiarString, parseReference, withDefaultTag } from "#image";
import type { Report } from "#orchestrator";
import type { Mapping } from "#yaml";
import type { Context } from "../context.ts";
import { authFor } from "../registry-auth.ts";
import { buildServices } from "./build.ts";

/** What is done about images before containers are made. */
export interface ImageOptions {
  /** "always", "missing" or "never"; absent for what each service says. */
  readonly pull?: string | undefined;
  /** Whether images of services with "build" are built. */
  readonly build: "always" | "missing" | "never";
  /** The variables that the project's files may use. */
  readonly environment: ReadonlyMap<string, string>;
  /** With the services that were not chosen: their images may be contexts of builds. */
  readonly all: Project;
  readonly isQuiet: boolean;
  readonly signal: AbortSignal;
  readonly report: Report;
}

/**
 * The ids of the images of services, by service; images that are missing are built or pulled. One that stays
 * missing has no id: creating its containers fails with the engine's words.
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
  const isMissing = (image: string) => !stored.has(plainName(image));
  const built = services
    .filter(({ service, image }) => isBuilt(service, options.build, isMissing(image)))
    .map(({ name }) => name);
  if (built.length > 0) {
    const from = { project: options.all, environment: options.environment };
    await buildServices(context, from, { names: built, quiet: options.isQuiet });
    for (const id of built) options.report({ id, detail: "", text: "Built", status: "done" });
  }
  const pulled = new Map(
    services
      .filter(({ name }) => !built.includes(name))
      .filter(({ service, image }) => isPulled(service, options.pull, !isMissing(image)))
      .map((one) => [one.image, one]),
  );
  await Promise.all([...pulled.values()].map((one) => pullImage(context, one, options)));
  const now = built.length + pulled.size > 0 ? await storedImages(context) : stored;
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

function isBuilt(service: Mapping, asked: ImageOptions["build"], isMissing: boolean): boolean {
  if (!service.has("build") || asked === "never") return false;
  return asked === "always" || isMissing || textAt(service, "pull_policy") === "build";
}

function isPulled(service: Mapping, asked: string | undefined, isStored: boolean): boolean {
  const policy = asked ?? (textAt(service, "pull_policy") || "missing");
  if (policy === "always") return !service.has("build");
  if (policy === "never") return false;
  return !isStored;
}

/** Pulls the image of a service, and tells of it under the service's name. */
export async function pullImage(
  context: Context,
  { image, name, service }: { image: string; name: string; service: Mapping },
  { signal, report }: Pick<ImageOptions, "signal" | "report">,
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
