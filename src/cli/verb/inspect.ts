import { isFault } from "#base";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import { userTemplate } from "../listing.ts";
import type { inspectFlags } from "../table/containers.ts";
import type { imageInspectFlags } from "../table/images.ts";

type Inspect = Verb<typeof inspectFlags>;
/** The flags of every `inspect`. */
interface Shown {
  readonly flags: { readonly json: boolean; readonly format: string | undefined };
  readonly args: readonly string[];
}
type Find = (ref: string) => Promise<unknown>;

export const inspect: Inspect = (context, invocation) => {
  const { type, size } = invocation.flags;
  const container: Find = (ref) => context.client.containers.inspect(ref, { size });
  const image: Find = (ref) => context.client.images.inspect(ref);
  if (type === "container") return show(context, invocation, container);
  if (type === "image") return show(context, invocation, image);
  if (type !== undefined && type !== "") {
    throw new Error(
      `unknown type: "${type}": must be "container" or "image"; networks and volumes are yet to come`,
    );
  }
  return show(context, invocation, async (ref) => {
    try {
      return await container(ref);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
    try {
      return await image(ref);
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
      throw new Error(`Error: No such object: ${ref}`, { cause: error });
    }
  });
};

export const inspectContainers: Inspect = (context, invocation) => {
  const { size } = invocation.flags;
  return show(context, invocation, (ref) => context.client.containers.inspect(ref, { size }));
};

export const inspectImages: Verb<typeof imageInspectFlags> = (context, invocation) => {
  const { platform } = invocation.flags;
  return show(context, invocation, (ref) => context.client.images.inspect(ref, { platform }));
};

/**
 * Prints the objects that were found even if others were not, as docker does; then the failures.
 */
async function show(context: Context, { flags, args }: Shown, find: Find): Promise<number> {
  const format = flags.json ? "json" : flags.format;
  const template = format && format !== "json" ? userTemplate(format) : undefined;
  const found: unknown[] = [];
  const failures: string[] = [];
  for (const ref of args) {
    try {
      found.push(await find(ref));
    } catch (error) {
      failures.push(failureText(error));
    }
  }
  if (template) {
    for (const value of found) await context.out.write(`${template(value)}\n`);
    if (found.length === 0) await context.out.write("\n");
  } else {
    const text = JSON.stringify(found, null, format === "json" ? undefined : 4);
    await context.out.write(`${text}\n`);
  }
  if (failures.length > 0) throw new Exit(1, failures.join("\n"));
  return 0;
}
