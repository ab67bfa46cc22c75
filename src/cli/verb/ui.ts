import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import { App } from "../ui/app.ts";

/** The full-screen view; the terminal is as it was before, however it ends. */
export const ui: Verb<Record<never, never>> = async (context) => {
  const restore = context.out.isTerminal ? context.stdin.raw() : undefined;
  if (!restore) throw new Exit(1, "thimble ui needs a terminal; lists for programs: thimble ps");
  try {
    await new App(context).run();
  } finally {
    restore();
  }
  return 0;
};
