import { Fault, isFault } from "#base";
import { type LogConfig, logLimits, withLogOptions } from "#container";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import { compressedLog } from "./container-logs.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";
import type { LiveContainer } from "./live-container.ts";

type ChangeLogParts = Parts<
  | "state"
  | "store"
  | "events"
  | "live"
  | "locks"
  | "removing"
  | "paths"
  | "logCompression"
  | "logShipping"
>;

/**
 * Gives the log of a container other options: at once where it runs, and for its later starts. The
 * limits of the files are the monitor's; a log that is shipped goes to its new receiver from where
 * the old one had got to.
 */
export async function changeLogOptions(
  parts: ChangeLogParts,
  ref: string,
  options: LogConfig["Config"],
): Promise<void> {
  const { id } = parts.store.find(ref);
  await parts.locks.run(id, async () => {
    const before = parts.store.find(id);
    if (parts.removing.has(id))
      throw new Fault("conflict", `container ${before.name} is being removed`, { about: id });
    const live = isUp(before.state) ? parts.live.get(id) : undefined;
    const log = withLogOptions(before.host.LogConfig, options, { isRunning: live !== undefined });
    const { sent } = before;
    const HostConfig = { ...sent.HostConfig, LogConfig: log };
    const change = parts.store.redefine(id, { ...sent, HostConfig });
    if (live) await limitLog(live, before, log);
    // A crash before this leaves the old options for the next start, and the new ones for this run.
    parts.state.durably(change.write);
    const after = change.keep();
    await followAnew(parts, after, live);
    publishContainer(parts, after, "update");
  });
}

async function limitLog(
  { task }: LiveContainer,
  { name, host }: ContainerRecord,
  log: LogConfig,
): Promise<void> {
  const [old, wanted] = [logLimits(host.LogConfig), logLimits(log)];
  if (old.maxSize === wanted.maxSize && old.maxFiles === wanted.maxFiles) return;
  try {
    using open = await task.openLog();
    await open.limit(wanted);
  } catch (cause) {
    // It has just ended: what counts is its next start.
    if (isFault(cause, "unavailable")) return;
    if (!isFault(cause, "invalid")) throw cause;
    throw new Fault(
      "conflict",
      `container ${name} was started by an older version of the engine and cannot change its log while it runs; restart it first`,
      { about: name, cause },
    );
  }
}

/** Those who read the files have other ones to look at, or another receiver. */
async function followAnew(
  parts: ChangeLogParts,
  record: ContainerRecord,
  live: LiveContainer | undefined,
): Promise<void> {
  const { id } = record;
  await parts.logCompression.stop(id);
  const log = compressedLog(parts, id);
  if (log && live) parts.logCompression.follow(log, live.task);
  else if (log) parts.logCompression.finish(log);
  parts.logShipping.anew(record, live?.recorded);
}
