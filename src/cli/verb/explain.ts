import type { Verb } from "../command.ts";
import { userTemplate } from "../listing.ts";
import type { explainFlags } from "../table/explain.ts";
import { describeImage } from "./explain-image.ts";
import { describePath } from "./explain-path.ts";

export const explain: Verb<typeof explainFlags> = async (context, { flags, args }) => {
  const [image = "", path] = args;
  const { analysis } = context.client;
  const format = flags.json ? "json" : flags.format;
  if (path !== undefined) {
    const found = await analysis.explainPath(image, path);
    await context.out.write(format ? rendered(format, found) : describePath(found, context.style));
    return 0;
  }
  const { top = 10, depth = 2, layer } = flags;
  const found = await analysis.explain(image, { top, depth, layer });
  const text = format ? rendered(format, found) : describeImage(found, context.style, layer);
  await context.out.write(text);
  return 0;
};

/** As `--format` says: JSON, or a template over the same. */
export function rendered(format: string, value: object): string {
  return format === "json"
    ? `${JSON.stringify(value, undefined, 2)}\n`
    : `${userTemplate(format)(value as Readonly<Record<string, unknown>>)}\n`;
}
