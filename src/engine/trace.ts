import type { Log } from "#base";

/** Where the time of one operation goes: milliseconds from its begin at each mark, as one line of the debug log. */
export class Trace {
  readonly #start = performance.now();
  readonly #marks: Record<string, string> = {};

  mark(step: string): void {
    this.#marks[step] = (performance.now() - this.#start).toFixed(2);
  }

  write(log: Log, what: string): void {
    log.debug(what, this.#marks);
  }
}
