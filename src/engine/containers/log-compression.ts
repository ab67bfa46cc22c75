import { type ContainerId, faultOf, isFault, type Log, Slots } from "#base";
import { compressRotated, replaceRotated } from "#logs";
import type { Task, TaskLog } from "#task";
import type { Background } from "../background.ts";

/** A container's log whose rotated files are to be compressed. */
export interface CompressedLog {
  readonly id: ContainerId;
  readonly path: string;
  readonly maxFiles: number;
}

type Replace = (inode: bigint) => boolean | Promise<boolean>;

interface Running {
  readonly stop: AbortController;
  readonly done: Promise<void>;
}

/**
 * Compresses rotated logs, of all containers one at a time. The monitor that writes a log never
 * compresses: it tells of a rotation, goes on writing, and later puts the compressed file in the place of
 * the plain one. Without an engine files stay plain; the next one makes up for it.
 */
export class LogCompression {
  readonly #running = new Map<ContainerId, Running>();
  readonly #slots = new Slots(1);
  readonly #background: Background;
  readonly #log: Log;

  constructor(parts: { readonly background: Background; readonly log: Log }) {
    this.#background = parts.background;
    this.#log = parts.log;
  }

  /** During a run and once after it. */
  follow(log: CompressedLog, task: Pick<Task, "openLog" | "released">): void {
    this.#begin(log, async (signal) => {
      await this.#whileRunning(log, task, signal);
      // Not before the monitor has gone, since the names are its to change.
      await unlessAborted(task.released, signal);
      await this.#compress(log, ownReplace(log), signal);
    });
  }

  /** Of a container that does not run. */
  finish(log: CompressedLog): void {
    this.#begin(log, (signal) => this.#compress(log, ownReplace(log), signal));
  }

  /** Nothing of this container's log is touched any more when it settles. */
  async stop(id: ContainerId): Promise<void> {
    const running = this.#running.get(id);
    running?.stop.abort();
    await running?.done;
  }

  close(): void {
    for (const { stop } of this.#running.values()) stop.abort();
  }

  #begin({ id }: CompressedLog, work: (signal: AbortSignal) => Promise<void>): void {
    const stop = new AbortController();
    const done = this.#background.run(`compressing the log of ${id}`, async () => {
      try {
        await work(stop.signal);
      } catch (error) {
        if (!stop.signal.aborted) throw error;
      }
    });
    const running = { stop, done };
    this.#running.set(id, running);
    void done.then(() => {
      if (this.#running.get(id) === running) this.#running.delete(id);
    });
  }

  async #whileRunning(
    log: CompressedLog,
    task: Pick<Task, "openLog">,
    signal: AbortSignal,
  ): Promise<void> {
    let keeper: TaskLog;
    try {
      keeper = await task.openLog();
    } catch (error) {
      if (isFault(error, "unavailable")) return;
      throw error;
    }
    const letGo = () => keeper[Symbol.dispose]();
    signal.addEventListener("abort", letGo);
    try {
      while (!signal.aborted && (await isRotated(keeper))) {
        await this.#compress(log, (inode) => keeper.replace(inode), signal);
      }
    } finally {
      signal.removeEventListener("abort", letGo);
      letGo();
    }
    signal.throwIfAborted();
  }

  /** A file that cannot be compressed, as on a full disk, stays plain until the next rotation. */
  async #compress(
    { id, path, maxFiles }: CompressedLog,
    replace: Replace,
    signal: AbortSignal,
  ): Promise<void> {
    using _slot = await this.#slots.take(signal);
    try {
      await compressRotated({ path, maxFiles, replace, signal });
    } catch (error) {
      signal.throwIfAborted();
      // The task has ended meanwhile.
      if (isFault(error, "unavailable")) return;
      const reason = faultOf(error).message;
      this.#log.warn("a rotated log could not be compressed", { id, error: reason });
    }
  }
}

/** False when the task has ended, and for the monitor of an older version, which cannot tell. */
async function isRotated(keeper: TaskLog): Promise<boolean> {
  try {
    await keeper.rotated();
    return true;
  } catch (error) {
    if (isFault(error, "unavailable") || isFault(error, "invalid")) return false;
    throw error;
  }
}

function ownReplace({ path, maxFiles }: CompressedLog): Replace {
  return (inode) => replaceRotated(path, maxFiles, inode);
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const aborted = Promise.withResolvers<void>();
  const stop = () => aborted.resolve();
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  await Promise.race([work, aborted.promise]);
  signal.removeEventListener("abort", stop);
  signal.throwIfAborted();
}
