import { addon } from "./addon.ts";
import { type Attempt, errnoFault } from "./errno.ts";

/** Receives what a thread of the addon reports: a job's result, or the EPOLL* events of a descriptor. */
export type ReportHandler = (value: number, bytes: Uint8Array | undefined) => void;

const handlers = new Map<number, ReportHandler>();
let lastId = 0;
let references = 0;
let listening = false;

function dispatch(id: number, value: number, bytes: Uint8Array | undefined): void {
  // A report may come after its descriptor was closed.
  const handler = handlers.get(id);
  if (handler === undefined) return;
  try {
    handler(value, bytes);
  } catch (error) {
    // An exception must not go back into the addon, where others wait for their reports.
    queueMicrotask(() => {
      throw error;
    });
  }
}

/** An id whose reports go to the handler until `dropReports`. */
export function newReport(handler: ReportHandler): number {
  if (!listening) {
    addon().onReport(dispatch);
    listening = true;
  }
  handlers.set(++lastId, handler);
  return lastId;
}

/** Later reports of this id are ignored. */
export function dropReports(id: number): void {
  handlers.delete(id);
}

/** Keeps the event loop alive until the same number of `releaseLoop`. */
export function holdLoop(): void {
  if (references++ === 0) addon().keepAlive(1);
}

/** Takes one `holdLoop` back; after the last one the process may end. */
export function releaseLoop(): void {
  if (--references === 0) addon().keepAlive(0);
}

export interface JobResult {
  readonly value: number;
  readonly bytes: Uint8Array | undefined;
}

/**
 * Runs a call on the addon's threads. A refusal becomes a Fault; the bytes that came
 * with it are taken as the kernel's explanation unless `describe` says otherwise.
 */
export function runJob(
  start: (id: number) => number,
  attempt: Attempt,
  describe: (bytes: Uint8Array) => string | undefined = textOf,
): Promise<JobResult> {
  return new Promise((resolve, reject) => {
    const refuse = (errno: number, bytes: Uint8Array | undefined) => {
      const detail = bytes === undefined ? undefined : describe(bytes);
      reject(errnoFault(errno, detail === undefined ? attempt : { ...attempt, detail }));
    };
    const id = newReport((value, bytes) => {
      dropReports(id);
      releaseLoop();
      if (value < 0) refuse(-value, bytes);
      else resolve({ value, bytes });
    });
    holdLoop();
    let queued = -1;
    try {
      queued = start(id);
    } finally {
      // Also when the arguments were refused with an exception.
      if (queued < 0) {
        dropReports(id);
        releaseLoop();
      }
    }
    if (queued < 0) refuse(-queued, undefined);
  });
}

function textOf(bytes: Uint8Array): string | undefined {
  const text = new TextDecoder().decode(bytes).trim();
  return text === "" ? undefined : text;
}
