import { isFault } from "#base";
import { openClient } from "#client";
import type { Context } from "./context.ts";

/**
 * Whether an engine runs, for what is better with one and does without: none is started. Where the
 * user named one that cannot be reached, that is a fault.
 */
export async function engineAnswers({ host }: Context): Promise<boolean> {
  try {
    await openClient({ host: host.host }).system.ping();
    return true;
  } catch (error) {
    if (isFault(error, "unavailable") && host.source === "default") return false;
    throw error;
  }
}
