import { lines } from "#base";
import type { Context } from "./context.ts";

/** Asks before something that cannot be undone; anything but yes is no. */
export async function confirm(context: Context, warning: string): Promise<boolean> {
  await context.out.write(`WARNING! ${warning}\nAre you sure you want to continue? [y/N] `);
  for await (const line of lines(context.stdin.read())) return /^y(es)?$/i.test(line.trim());
  return false;
}
