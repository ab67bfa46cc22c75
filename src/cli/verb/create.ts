import { isFault } from "#base";
import { ResponseFault } from "#client";
import type { ContainerCreateBody } from "#wire";
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

/** Creates the container, prints warnings, and writes the file of `--cidfile`; gives the id. */
export async function createContainer(
  context: Context,
  body: ContainerCreateBody,
  flags: Pick<Values<CreateFlags>, "name" | "platform" | "pull" | "cidfile">,
): Promise<string> {
  checkPull(flags.pull);
  const writeId = flags.cidfile ? openCidFile(flags.cidfile) : undefined;
  const { Id, Warnings } = await context.client.containers
    .create(body, { name: flags.name || undefined, platform: flags.platform })
    .catch((error) => explainMissingImage(body.Image ?? "", error));
  for (const warning of Warnings ?? []) await context.err.write(`WARNING: ${warning}\n`);
  writeId?.(Id);
  return Id;
}

function checkPull(pull: string | undefined): void {
  if (pull === undefined || pull === "missing" || pull === "never") return;
  throw new Exit(
    undefined,
    pull === "always"
      ? "thimble: --pull=always needs a registry, which thimble does not speak to yet: use missing or never"
      : `thimble: invalid pull option: '${pull}': must be one of "always", "missing" or "never"`,
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

function explainMissingImage(image: string, error: unknown): never {
  const missing =
    error instanceof ResponseFault &&
    isFault(error, "not_found") &&
    /no such image/i.test(error.message);
  if (!missing) throw error;
  throw new Exit(
    undefined,
    `Unable to find image '${withTag(image)}' locally
thimble: there is no image "${image}", and pulling one from a registry is yet to come.
Make one (thimble mkimage --help), or bring one in (thimble load, thimble import).`,
  );
}

function withTag(image: string): string {
  return /[:@][^/]*$/.test(image) ? image : `${image}:latest`;
}
