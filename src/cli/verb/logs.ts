import type { LogOptions } from "#client";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { paintOf, showMerged } from "../show-merged.ts";
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
  await showMerged(logs, {
    ...options,
    sink: (stream) => (stream === "stderr" ? context.err : context.out),
    prefix: (index) => prefixes[index] ?? "",
  });
  return 0;
}

/** Padded to one width; on a terminal in colours. */
function prefixesOf(names: readonly string[], style: Style): readonly string[] {
  const width = Math.max(...names.map((name) => name.length));
  return names.map((name, index) => paintOf(style, index)(`${name.padEnd(width)} | `));
}
