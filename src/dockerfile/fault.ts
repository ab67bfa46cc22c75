import { Fault } from "#base";

/** Lines of a Dockerfile, from `start` to `end`, both included; the first is 1. */
export interface LineRange {
  readonly start: number;
  readonly end: number;
}

/** `invalid`, in the words of BuildKit, at these lines; without lines it is about the whole file. */
export class DockerfileFault extends Fault {
  readonly ranges: readonly LineRange[];

  constructor(message: string, ranges: readonly LineRange[] = []) {
    super("invalid", message);
    this.ranges = ranges;
  }
}

/** What `action` gives; a fault of it that has no lines yet is thrown with these, after `prefix`. */
export function located<T>(range: LineRange, action: () => T, prefix = ""): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "invalid") throw error;
    const ranges = error instanceof DockerfileFault ? error.ranges : [];
    if (ranges.length > 0) throw error;
    throw new DockerfileFault(`${prefix}${error.message}`, [range]);
  }
}

/** Go's form of a text in messages (%q). */
export function quote(text: string): string {
  return JSON.stringify(text).replace(/\\u0008|\\b/g, "\\b");
}
