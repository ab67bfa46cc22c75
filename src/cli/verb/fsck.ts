import { formatBytes, isFault } from "#base";
import { openClient } from "#client";
import type { FsckFinding } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { fsckFlags } from "../table/system.ts";

export const fsck: Verb<typeof fsckFlags> = async (context, { flags }) => {
  const { repair, deep, json } = flags;
  if (flags["data-root"] === undefined && (await isRunning(context))) {
    return await askEngine(context, { repair, deep, json });
  }
  const { out, style, env } = context;
  const dataRoot = flags["data-root"] ?? (env.THIMBLE_DATA_ROOT || "/var/lib/thimble");
  return await context.options.local.fsck({ json, out, style, dataRoot }, { repair, deep });
};

/** A client of its own: to look for damage is no reason to start an engine. */
async function isRunning({ host }: Context): Promise<boolean> {
  try {
    await openClient({ host: host.host }).system.ping();
    return true;
  } catch (error) {
    if (isFault(error, "unavailable") && host.source === "default") return false;
    throw error;
  }
}

async function askEngine(
  context: Context,
  { repair, deep, json }: { repair: boolean; deep: boolean; json: boolean },
): Promise<number> {
  const findings: FsckFinding[] = [];
  for await (const message of context.client.system.fsck({ repair, deep })) {
    if ("error" in message) throw new Exit(1, message.error);
    if ("finding" in message) {
      findings.push(message.finding);
      if (!json) await context.out.write(findingText(context, message.finding));
      continue;
    }
    const { checked } = message;
    const ok = findings.every(({ repaired }) => repaired);
    const text = json
      ? JSON.stringify({ ok, ...checked, findings }, null, 2)
      : `${checked.blobs} blobs (${formatBytes(checked.bytes)}) and ${checked.layers} layers checked: ${verdict(context, findings)}`;
    await context.out.write(`${text}\n`);
    return ok ? 0 : 1;
  }
  throw new Exit(1, "the engine broke the check off");
}

function findingText({ style }: Context, { message, images, repaired }: FsckFinding): string {
  const mark = repaired ? style.green("repaired") : style.red("DAMAGED ");
  const names = images.length > 0 ? `          of ${images.join(", ")}\n` : "";
  return `${mark}  ${message}\n${names}`;
}

function verdict({ style }: Context, findings: readonly FsckFinding[]): string {
  if (findings.length === 0) return style.green("all is well");
  const repaired = findings.filter((each) => each.repaired).length;
  return style.bold(
    `${findings.length} finding${findings.length === 1 ? "" : "s"}, ${repaired} repaired`,
  );
}
