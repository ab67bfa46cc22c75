import { type ContainerId, defined, Fault, isFault } from "#base";
import { compressesLog, logLimits, readsLog } from "#container";
import { renderLog } from "#logs";
import type { TaskLog } from "#task";
import type { LogRequest } from "../contract.ts";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { LiveContainer } from "./live-container.ts";
import type { CompressedLog } from "./log-compression.ts";

/** As `docker logs` streams it: each record in a frame of its own unless the container has a terminal. */
export function containerLogs(
  parts: Parts<"paths" | "store" | "live">,
  ref: string,
  request: LogRequest,
): AsyncIterable<Uint8Array> {
  const record = parts.store.find(ref);
  if (!readsLog(record.host.LogConfig)) {
    throw new Fault("unsupported", "configured logging driver does not support reading", {
      about: record.name,
    });
  }
  if (!request.stdout && !request.stderr) {
    throw new Fault("invalid", "Bad parameters: you must choose at least one stream");
  }
  return logFrames(parts, record, request);
}

/** The log of a container whose rotated files are to be compressed. */
export function compressedLog(
  parts: Parts<"paths" | "store">,
  id: ContainerId,
): CompressedLog | undefined {
  const config = parts.store.get(id)?.host.LogConfig;
  if (!config || !compressesLog(config)) return undefined;
  return { id, path: parts.paths.log(id), maxFiles: logLimits(config).maxFiles };
}

type Rendering = Pick<LogRequest, "stdout" | "stderr" | "follow"> & Partial<LogRequest>;

/** The log of a container as frames; a container without a log has an empty one. */
export async function* logFrames(
  parts: Parts<"paths" | "live">,
  record: ContainerRecord,
  request: Rendering,
): AsyncGenerator<Uint8Array> {
  if (record.host.LogConfig.Type === "none") return;
  const live = parts.live.get(record.id);
  yield* renderLog({
    path: parts.paths.log(record.id),
    maxFiles: logLimits(record.host.LogConfig).maxFiles,
    framed: !record.config.Tty,
    ...request,
    ...defined({
      hold: live && (() => holdRotation(live)),
      ended: request.follow && live ? live.recorded : undefined,
    }),
  });
}

/** A task that has ended, and the monitor of an older version, hold nothing back. */
async function holdRotation({ task }: LiveContainer): Promise<Disposable | undefined> {
  let log: TaskLog | undefined;
  try {
    log = await task.openLog();
    await log.hold();
    return log;
  } catch (error) {
    log?.[Symbol.dispose]();
    if (isFault(error)) return undefined;
    throw error;
  }
}
