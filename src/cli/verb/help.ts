import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import { commandAt, helpText } from "../help.ts";

export const help: Verb<Record<never, never>> = async (context, { args }) => {
  if (!commandAt(args)) throw new Exit(1, `thimble: unknown help topic: ${args.join(" ")}`);
  const { style, out } = context;
  await out.write(helpText(args, { style, columns: out.columns }));
  return 0;
};
