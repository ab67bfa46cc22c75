import type { Verb } from "../command.ts";
import type { diffFlags } from "../table/explain.ts";
import { diffContainer } from "./diff-container.ts";
import { describeComparison } from "./diff-images.ts";
import { rendered } from "./explain.ts";

export const containerDiff: Verb<Omit<typeof diffFlags, "top">> = async (
  context,
  { flags, args },
) => {
  await diffContainer(context, args[0] ?? "", flags.json ? "json" : flags.format);
  return 0;
};

/** The changes of one container, or the differences between two images. */
export const diff: Verb<typeof diffFlags> = async (context, { flags, args }) => {
  const [from = "", to] = args;
  const format = flags.json ? "json" : flags.format;
  if (to === undefined) {
    await diffContainer(context, from, format);
    return 0;
  }
  const found = await context.client.analysis.compare(from, to, { limit: flags.top });
  const text = format ? rendered(format, found) : describeComparison(found, context.style);
  await context.out.write(text);
  return 0;
};
