import { Fault, isFault } from "#base";
import { imageOf, openProject, textAt } from "#compose";
import { familiarName, parseReference, withDefaultTag } from "#image";
import type { JsonMessage } from "#wire";
import type { Mapping } from "#yaml";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { failureText } from "../failure.ts";
import { authFor } from "../registry-auth.ts";
import type { pullFlags, pushFlags } from "../table/compose-make.ts";
import { ProgressView } from "./progress-view.ts";
import { type ProjectFlags, readProject } from "./project.ts";
import { pullImage } from "./service-images.ts";

interface ServiceImage {
  readonly name: string;
  readonly service: Mapping;
  readonly image: string;
}

type Flags = ProjectFlags & { readonly "include-deps": boolean };

/** The services that are meant, with their images. */
async function chosenImages(
  context: Context,
  flags: Flags,
  named: readonly string[],
): Promise<readonly ServiceImage[]> {
  const { project } = await readProject(context, flags, (request) =>
    openProject(request, { resolvesEnvironment: false }, named),
  );
  return [...project.services]
    .filter(([name]) => named.length === 0 || flags["include-deps"] || named.includes(name))
    .map(([name, service]) => ({ name, service, image: imageOf(project, name, service) }));
}

export const pull: Verb<typeof pullFlags> = async (context, { flags, args }) => {
  const images = await chosenImages(context, flags, args);
  const view = new ProgressView(context);
  const wanted: ServiceImage[] = [];
  const seen = new Set<string>();
  for (const one of images) {
    const why = await reasonToSkip(context, one, flags);
    if (why !== undefined) view.report({ id: one.name, text: why, status: "done" });
    else if (!seen.has(one.image)) wanted.push(one);
    seen.add(one.image);
  }
  const built: string[] = [];
  try {
    await cancellable(async (signal) => {
      const all = await Promise.allSettled(
        wanted.map((one) => pullImage(context, one, { signal, report: view.report })),
      );
      const failures = all.flatMap((each, index) =>
        each.status === "rejected" ? [{ error: each.reason as unknown, one: wanted[index] }] : [],
      );
      for (const { error, one } of failures) {
        const isBuilt = one?.service.has("build") === true;
        if (isBuilt) built.push(one.name);
        else if (!flags["ignore-pull-failures"]) throw error;
      }
    });
  } finally {
    await view.end();
  }
  if (built.length > 0 && !flags.quiet) {
    const names = built.join(" ");
    await context.err.write(
      `WARNING: Some service image(s) must be built from source by running:\n    docker compose build ${names}\n`,
    );
  }
  return 0;
};

/** Why the image of a service is not pulled, in docker compose's words. */
async function reasonToSkip(
  context: Context,
  { service, image }: ServiceImage,
  flags: Parameters<typeof pull>[1]["flags"],
): Promise<string | undefined> {
  const policy = textAt(service, "pull_policy");
  const isBuilt = service.has("build");
  if (!service.has("image") && isBuilt) return "Skipped - No image to be pulled";
  if (policy === "never" || policy === "build") return "Skipped";
  if (isBuilt && flags["ignore-buildable"]) return "Skipped - Image can be built";
  const wish = flags.policy ?? policy;
  const isForMissing = wish === "missing" || wish === "if_not_present";
  if (isForMissing && (await isStored(context, image))) {
    return "Skipped - Image is already present locally";
  }
  return undefined;
}

async function isStored({ client }: Context, image: string): Promise<boolean> {
  try {
    await client.images.inspect(image);
    return true;
  } catch (error) {
    if (isFault(error, "not_found")) return false;
    throw error;
  }
}

/** Images that are not built here came from elsewhere: they are not pushed. */
export const push: Verb<typeof pushFlags> = async (context, { flags, args }) => {
  const images = await chosenImages(context, flags, args);
  const view = new ProgressView(context);
  const isOurs = ({ service }: ServiceImage) => service.has("build") && service.has("image");
  for (const { name } of images.filter((one) => !isOurs(one))) {
    view.report({ id: name, text: "Skipped", status: "done" });
  }
  try {
    await cancellable(async (signal) => {
      for (const { name, image } of images.filter(isOurs)) {
        try {
          await pushImage(context, image, signal);
          view.report({ id: name, text: "Pushed", status: "done" });
        } catch (error) {
          if (!flags["ignore-push-failures"]) throw error;
          view.say(`Pushing ${name}: ${failureText(error)}`);
        }
      }
    });
  } finally {
    await view.end();
  }
  return 0;
};

async function pushImage(context: Context, image: string, signal: AbortSignal): Promise<void> {
  const reference = withDefaultTag(parseReference(image));
  const name = familiarName(reference);
  const auth = await authFor(context, name);
  const messages: AsyncIterable<JsonMessage> = context.client.images.push(name, reference.tag, {
    auth,
    signal,
  });
  for await (const { error } of messages) {
    if (error !== undefined) throw new Fault("internal", error, { about: image });
  }
}
