import { type JsonMessage, progressBar } from "#wire";
import type { Sink } from "./context.ts";
import { Exit } from "./failure.ts";

/**
 * Shows a pull or push as docker does: on a terminal a line for each layer, redrawn in
 * its place with a bar; elsewhere a line for each step that has no numbers.
 */
export async function showTransfer(
  out: Sink,
  messages: AsyncIterable<JsonMessage>,
  options: { readonly quiet: boolean },
): Promise<void> {
  const lines = new Map<string, number>();
  for await (const message of messages) {
    const { error, errorDetail } = message;
    if (error !== undefined || errorDetail) {
      throw new Exit(undefined, errorDetail?.message ?? error ?? "failed");
    }
    if (options.quiet || message.aux) continue;
    const text = out.isTerminal ? drawn(message, lines, out.columns) : told(message);
    if (text !== "") await out.write(text);
  }
}

function told({ id, status, stream, progressDetail }: JsonMessage): string {
  if (stream !== undefined) return stream;
  if (status === undefined || (progressDetail && progressBar(progressDetail) !== "")) return "";
  return id === undefined ? `${status}\n` : `${id}: ${status}\n`;
}

/** To the line of the message's layer, which is drawn anew, and back below the last one. */
function drawn(message: JsonMessage, lines: Map<string, number>, columns: number): string {
  const { id, status, stream, progressDetail } = message;
  if (stream !== undefined) return stream;
  if (status === undefined) return "";
  if (id === undefined || !progressDetail) {
    lines.clear();
    return id === undefined ? `${status}\n` : `${id}: ${status}\n`;
  }
  const isNew = !lines.has(id);
  if (isNew) lines.set(id, lines.size);
  const up = lines.size - (lines.get(id) ?? 0);
  const bar = progressBar(progressDetail, columns);
  const line = `${id}: ${status} ${bar}`.slice(0, columns - 1);
  return `${isNew ? "\n" : ""}\x1b[${up}A\x1b[2K\r${line}\r\x1b[${up}B`;
}
