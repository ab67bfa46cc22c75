import type { LogOptions } from "#client";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { type MergedRecord, mergeLogs } from "../merge-logs.ts";
import type { Style } from "../style.ts";
import type { logsFlags } from "../table/containers.ts";
import { parseTimeFlag } from "../time-flag.ts";

/** Of one container as Docker shows it; of several, each line behind the name of its container. */
export const logs: Verb<typeof logsFlags> = async (context, { flags, args }) => {
  const options = {
    stdout: true,
    stderr: true,
    follow: flags.follow,
    timestamps: flags.timestamps,
    details: flags.details,
    since: parseTimeFlag(flags.since),
    until: parseTimeFlag(flags.until),
    tail: flags.tail ?? "all",
  };
  if (args.length > 1) return await showSeveral(context, [...new Set(args)], options);
  const { containers } = context.client;
  const { Id, Config } = await containers.inspect(args[0] ?? "");
  for await (const part of containers.logs(Id, Config.Tty, options)) {
    await (part.stream === "stderr" ? context.err : context.out).write(part.bytes);
  }
  return 0;
};

async function showSeveral(
  context: Context,
  refs: readonly string[],
  options: LogOptions & { readonly follow: boolean; readonly timestamps: boolean },
): Promise<number> {
  const { containers } = context.client;
  const found = await Promise.all(refs.map((ref) => containers.inspect(ref)));
  const names = found.map(({ Name }) => Name.replace("/", ""));
  const logs = found.map(({ Id, Config }) => ({
    parts: containers.logs(Id, Config.Tty, { ...options, timestamps: true }),
    framed: !Config.Tty,
  }));
  const prefixes = prefixesOf(names, context.style);
  let open: MergedRecord | undefined;
  for await (const record of mergeLogs(logs, options)) {
    const sink = record.stream === "stderr" ? context.err : context.out;
    const goesOn = open?.index === record.index && open.stream === record.stream;
    if (open && !goesOn) await (open.stream === "stderr" ? context.err : context.out).write("\n");
    const stamp = options.timestamps ? `${record.time} ` : "";
    const prefix = goesOn ? "" : `${prefixes[record.index]}${stamp}`;
    await sink.write(Buffer.concat([Buffer.from(prefix), record.text]));
    open = record.text.at(-1) === newline ? undefined : record;
  }
  return 0;
}

const newline = 0x0a;

/** Padded to one width; on a terminal in colours that repeat after the fifth. */
function prefixesOf(names: readonly string[], style: Style): readonly string[] {
  const width = Math.max(...names.map((name) => name.length));
  const paints = [style.cyan, style.yellow, style.green, style.magenta, style.blue];
  return names.map((name, index) => {
    const paint = paints[index % paints.length] ?? style.cyan;
    return paint(`${name.padEnd(width)} | `);
  });
}
