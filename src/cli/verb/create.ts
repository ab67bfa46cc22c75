import { isFault } from "#base";
import { ResponseFault } from "#client";
import type { ContainerCreateBody } from "#container";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { createBody } from "../create-body.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { CreateFlags } from "../table/create-flags.ts";

export const create: Verb<CreateFlags> = async (context, invocation) => {
  const body = createBody(context, invocation);
  const id = await createContainer(context, body, invocation.flags);
  await context.out.write(`${id}\n`);
  return 0;
};

type PullFlags = Pick<Values<CreateFlags>, "platform" | "pull" | "quiet">;

/** The answer of every way of making a container. */
interface Made {
  readonly id: string;
  readonly warnings: readonly string[];
}

/** Makes a container by `make`, its image pulled if need be, prints warnings, and writes the file of `--cidfile`. */
export async function withImage<T extends Made>(
  context: Context,
  {
    body,
    flags,
  }: {
    readonly body: ContainerCreateBody;
    readonly flags: PullFlags & Pick<Values<CreateFlags>, "cidfile">;
  },
  make: () => Promise<T>,
): Promise<T> {
  const policy = pullPolicy(flags.pull);
  const writeId = flags.cidfile ? openCidFile(flags.cidfile) : undefined;
  if (policy === "always") await pullImage(context, body, { ...flags, missing: false });
  const made = await make().catch(async (error: unknown) => {
    if (policy !== "missing" || !isMissingImage(error)) throw error;
    await pullImage(context, body, { ...flags, missing: true });
    return await make();
  });
  for (const warning of made.warnings) await context.err.write(`WARNING: ${warning}\n`);
  writeId?.(made.id);
  return made;
}

/** Creates the container; gives its id. */
export async function createContainer(
  context: Context,
  body: ContainerCreateBody,
  flags: PullFlags & Pick<Values<CreateFlags>, "name" | "cidfile">,
): Promise<string> {
  const options = { name: flags.name || undefined, platform: flags.platform };
  const { id } = await withImage(context, { body, flags }, async () => {
    const { Id, Warnings } = await context.client.containers.create(body, options);
    return { id: Id, warnings: Warnings ?? [] };
  });
  return id;
}

/** The code for a pull, names included, is loaded here: most images are stored already. */
async function pullImage(
  context: Context,
  { Image }: ContainerCreateBody,
  { platform, quiet, missing }: PullFlags & { readonly missing: boolean },
): Promise<void> {
  const { pullForRun } = await import("./transfer.ts");
  await pullForRun(context, Image ?? "", { platform, quiet, missing });
}

function pullPolicy(pull: string | undefined): "always" | "missing" | "never" {
  if (pull === undefined || pull === "") return "missing";
  if (pull === "always" || pull === "missing" || pull === "never") return pull;
  throw new Exit(
    undefined,
    `thimble: invalid pull option: '${pull}': must be one of "always", "missing" or "never"\n\nRun 'thimble run --help' for more information`,
  );
}

function isMissingImage(error: unknown): boolean {
  return (
    error instanceof ResponseFault &&
    isFault(error, "not_found") &&
    /no such image/i.test(error.message)
  );
}

/** Claims the file before the container exists: a second container of the same file must not come to be. */
function openCidFile(path: string): (id: string) => void {
  const fs = process.getBuiltinModule("node:fs");
  if (fs.existsSync(path)) {
    throw new Error(
      `container ID file found, make sure the other container isn't running or delete ${path}`,
    );
  }
  return (id) => fs.writeFileSync(path, id);
}
