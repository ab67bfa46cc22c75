import { defined, isFault } from "#base";
import type { GoKind } from "#template";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import { containerShape, imageShape, networkShape, volumeShape } from "../inspect-shapes.ts";
import { inspectTemplate } from "../listing.ts";
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
/** Gives the object, and the Go type by which a template sees it. */
type Find = (ref: string) => Promise<{ readonly value: unknown; readonly shape: GoKind }>;

/** The kinds of objects, in the order in which a name is looked for. */
function finders(
  { client }: Context,
  options: { readonly size?: boolean; readonly platform?: string; readonly verbose?: boolean } = {},
): Readonly<Record<string, Find>> {
  const { size, platform, verbose } = options;
  const as = async (work: Promise<unknown>, shape: GoKind) => ({ value: await work, shape });
  return {
    container: (ref) => as(client.containers.inspect(ref, defined({ size })), containerShape),
    image: (ref) => as(client.images.inspect(ref, { platform }), imageShape),
    network: (ref) => as(client.networks.inspect(ref, { verbose }), networkShape),
    volume: (ref) => as(client.volumes.inspect(ref), volumeShape),
  };
}

export const inspect: Inspect = (context, invocation) => {
  const { type, size } = invocation.flags;
  const kinds = finders(context, { size });
  if (type) {
    const find = kinds[type];
    if (find) return show(context, invocation, find);
    throw new Error(
      `unknown type: "${type}": must be one of "container", "image", "network", "volume"`,
    );
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

export const inspectContainers: Inspect = (context, invocation) =>
  showKind(context, invocation, "container", { size: invocation.flags.size });

export const inspectVolumes: Verb<typeof volumeInspectFlags> = (context, invocation) =>
  showKind(context, invocation, "volume");

export const inspectImages: Verb<typeof imageInspectFlags> = (context, invocation) =>
  showKind(context, invocation, "image", defined({ platform: invocation.flags.platform }));

export const inspectNetworks: Verb<typeof networkInspectFlags> = (context, invocation) =>
  showKind(context, invocation, "network", { verbose: invocation.flags.verbose });

function showKind(
  context: Context,
  invocation: Shown,
  kind: string,
  options?: Parameters<typeof finders>[1],
): Promise<number> {
  const find = finders(context, options)[kind] as Find;
  return show(context, invocation, find);
}

export const inspectContexts: Verb<typeof contextInspectFlags> = async (
  context,
  { flags, args },
) => {
  const { describeContext, shownContexts } = await import("./context.ts");
  const names = shownContexts(context, args);
  return await show(context, { flags, args: names }, async (name) => ({
    value: describeContext(context, name),
    shape: {},
  }));
};

/**
 * Prints the objects that were found even if others were not, as docker does; then the failures.
 */
async function show(context: Context, { flags, args }: Shown, find: Find): Promise<number> {
  const format = flags.json ? "json" : flags.format;
  const template = format && format !== "json" ? inspectTemplate(format) : undefined;
  const found: Awaited<ReturnType<Find>>[] = [];
  const failures: string[] = [];
  for (const ref of args) {
    try {
      found.push(await find(ref));
    } catch (error) {
      failures.push(failureText(error));
    }
  }
  if (template) {
    let text = "";
    try {
      for (const { value, shape } of found) text += `${template(value, shape)}\n`;
    } finally {
      await context.out.write(text || "\n");
    }
  } else {
    const values = found.map(({ value }) => value);
    const text = JSON.stringify(values, null, format === "json" ? undefined : 4);
    await context.out.write(`${text}\n`);
  }
  if (failures.length > 0) throw new Exit(1, failures.join("\n"));
  return 0;
}
