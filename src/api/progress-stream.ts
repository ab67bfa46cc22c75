import { defined, faultOf } from "#base";
import type { Progress } from "#engine";
import type { JsonMessage } from "#wire";
import type { Exchange } from "./exchange.ts";

/** The engine's progress in Docker's JSON message. */
export function progressMessage({ id, status, current, total }: Progress): JsonMessage {
  return {
    status,
    progressDetail: {
      ...defined({ current, total }),
    },
    ...defined({ id }),
  };
}

/**
 * Runs work that reports its progress as a JSON stream. A failure before the first
 * line gets its status; later, the last line of the stream tells it.
 */
export async function withProgress(exchange: Exchange, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!exchange.response.headersSent) throw error;
    const { message } = faultOf(error);
    exchange.progress({ errorDetail: { message }, error: message });
  }
  if (!exchange.response.headersSent) exchange.begin("application/json");
  exchange.response.end();
}
