import { visibleText } from "#base";
import type { Verb } from "../command.ts";
import { alignColumns } from "../listing.ts";

export const top: Verb<Record<never, never>> = async (context, { args }) => {
  const [ref = "", ...psArguments] = args;
  const { Titles, Processes } = await context.client.containers.top(ref, psArguments);
  // A process names itself as it likes.
  const show = context.out.isTerminal ? visibleText : (text: string) => text;
  const lines = alignColumns([Titles, ...(Processes ?? [])], 20).map(show);
  await context.out.write(lines.map((line) => `${line}\n`).join(""));
  return 0;
};
