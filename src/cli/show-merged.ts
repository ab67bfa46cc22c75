import type { Sink } from "./context.ts";
import { type MergedRecord, mergeLogs } from "./merge-logs.ts";
import type { Style } from "./style.ts";

const newline = 0x0a;

/** Shows several logs by the time of their lines, each line behind the prefix of its log. */
export async function showMerged(
  logs: Parameters<typeof mergeLogs>[0],
  options: {
    readonly follow: boolean;
    readonly timestamps: boolean;
    /** Where the lines of a stream go. */
    sink(stream: MergedRecord["stream"]): Sink;
    /** Of the log at this place; asked for once a line. */
    prefix(index: number): string;
  },
): Promise<void> {
  let open: MergedRecord | undefined;
  for await (const record of mergeLogs(logs, options)) {
    const goesOn = open?.index === record.index && open.stream === record.stream;
    if (open && !goesOn) await options.sink(open.stream).write("\n");
    const stamp = options.timestamps ? `${record.time} ` : "";
    const prefix = goesOn ? "" : `${options.prefix(record.index)}${stamp}`;
    await options.sink(record.stream).write(Buffer.concat([Buffer.from(prefix), record.text]));
    open = record.text.at(-1) === newline ? undefined : record;
  }
}

/** The colour of the log at this place: they repeat after the fifth. */
export function paintOf(style: Style, index: number): (text: string) => string {
  const paints = [style.cyan, style.yellow, style.green, style.magenta, style.blue];
  return paints[index % paints.length] ?? style.cyan;
}
