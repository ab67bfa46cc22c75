import { formatBytes } from "#base";
import type { SquashReport } from "#wire";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { showProgress } from "../progress.ts";
import { sourceDateEpoch } from "../source-date.ts";
import type { squashFlags } from "../table/explain.ts";
import { count, share } from "./explain-text.ts";

export const squash: Verb<typeof squashFlags> = async (context, { flags, args }) => {
  const [image = ""] = args;
  const { from, tag: reference, json, quiet } = flags;
  const epoch = sourceDateEpoch(context.env);
  let report: SquashReport | undefined;
  const messages = async function* (signal: AbortSignal) {
    const options = { from, reference, epoch };
    for await (const message of context.client.analysis.squash(image, options, signal)) {
      report = message.aux?.squash ?? report;
      yield message;
    }
  };
  await cancellable(
    (signal) => showProgress(context, messages(signal), json ? "json" : quiet ? "quiet" : "auto"),
    "canceled; no image was made",
  );
  if (report && !json) await say(context, report, quiet);
  return 0;
};

async function say({ out, style }: Context, report: SquashReport, quiet: boolean): Promise<void> {
  const { id, tags, kept, merged, before, after } = report;
  if (quiet) {
    await out.write(`${id}\n`);
    return;
  }
  const line = (what: string, from: number, to: number) => {
    const saved = from - to;
    const word = saved < 0 ? "more" : "saved";
    const amount = `${formatBytes(Math.abs(saved))} ${word} (${share(Math.abs(saved), from) || "0%"})`;
    return `${what}${formatBytes(from)} -> ${formatBytes(to)}, ${style.green(amount)}\n`;
  };
  await out.write(
    `Squashed ${count(merged, "layer")} into one${kept > 0 ? `, kept ${kept}` : ""}: ${tags[0] ?? id}\n` +
      line("Files       ", before.bytes, after.bytes) +
      line("Compressed  ", before.compressed, after.compressed),
  );
}
