import { isFault } from "#base";
import type { Connection } from "#client";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";

type NoFlags = Record<never, never>;

/**
 * Joins standard input and output to the engine, as the far end of `ssh://`: the end of the input
 * is passed on, and the engine's end is the end.
 */
export const dialStdio: Verb<NoFlags> = async (context) => {
  const connection = await context.dial();
  try {
    const input = feed(context, connection);
    input.catch(() => undefined);
    for (let bytes = await connection.read(); bytes; bytes = await connection.read())
      await context.out.write(bytes);
  } finally {
    connection.close();
  }
  return 0;
};

async function feed(context: Context, connection: Connection): Promise<void> {
  try {
    for await (const bytes of context.stdin.read()) await connection.write(bytes);
    connection.end();
  } catch (error) {
    // The engine may be done while there is still input.
    if (!isFault(error, "unavailable")) connection.close();
  }
}
