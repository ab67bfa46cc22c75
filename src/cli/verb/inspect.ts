import { isFault } from "#base";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import { userTemplate } from "../listing.ts";
import type { inspectFlags } from "../table/containers.ts";
import type { contextInspectFlags } from "../table/contexts.ts";
import type { imageInspectFlags } from "../table/images.ts";
import type { networkInspectFlags } from "../table/networks.ts";
import type { volumeInspectFlags } from "../table/volumes.ts";

type Inspect = Verb<typeof inspectFlags>;
/** The flags of every `inspect`. */
interface Shown {
  readonly flags: { readonly json: boolean; readonly format: string | undefined };
  readonly args: readonly string[];
}
type Find = (ref: string) => Promise<unknown>;

export const inspect: Inspect = (context, invocation) => {
  const { type, size } = invocation.flags;
  const kinds: Readonly<Record<string, Find>> = {
    container: (ref) => context.client.containers.inspect(ref, { size }),
    image: (ref) => context.client.images.inspect(ref),
    network: (ref) => context.client.networks.inspect(ref),
    volume: (ref) => context.client.volumes.inspect(ref),
  };
  if (type) {
    const find = kinds[type];
    if (find) return show(context, invocation, find);
    throw new Error(`unknown type: "${type}": must be "container", "image", "network" or "volume"`);
  }
  return show(context, invocation, async (ref) => {
    let last: unknown;
    for (const find of Object.values(kinds)) {
      try {
        return await find(ref);
      } catch (error) {
        if (!isFault(error, "not_found")) throw error;
        last = error;
      }
    }
    throw new Error(`Error: No such object: ${ref}`, { cause: last });
  });
};

export const inspectContainers: Inspect = (context, invocation) => {
  const { size } = invocation.flags;
  return show(context, invocation, (ref) => context.client.containers.inspect(ref, { size }));
};

export const inspectVolumes: Verb<typeof volumeInspectFlags> = (context, invocation) =>
  show(context, invocation, (ref) => context.client.volumes.inspect(ref));

export const inspectImages: Verb<typeof imageInspectFlags> = (context, invocation) => {
  const { platform } = invocation.flags;
  return show(context, invocation, (ref) => context.client.images.inspect(ref, { platform }));
};

export const inspectNetworks: Verb<typeof networkInspectFlags> = (context, invocation) => {
  const { verbose } = invocation.flags;
  return show(context, invocation, (ref) => context.client.networks.inspect(ref, { verbose }));
};

export const inspectContexts: Verb<typeof contextInspectFlags> = async (
  context,
  { flags, args },
) => {
  const { describeContext, shownContexts } = await import("./context.ts");
  const names = shownContexts(context, args);
  return await show(context, { flags, args: names }, async (name) =>
    describeContext(context, name),
  );
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
