import { type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";

/** Wakes a reader at the end of a log: the directory changed, the log ended, or the reader was told to stop. */
export class LogChange implements Disposable {
  #watcher: FSWatcher | undefined;
  #changed = false;
  #wake: (() => void) | undefined;
  #ended = false;
  readonly #signal: AbortSignal | undefined;

  constructor(path: string, ended: Promise<unknown>, signal: AbortSignal | undefined) {
    this.#signal = signal;
    const directory = dirname(path);
    this.#watcher = watch(directory, { persistent: false }, () => this.#notice());
    // The directory was removed: nothing more will come.
    this.#watcher.on("error", () => this.#end());
    ended.then(
      () => this.#end(),
      () => this.#end(),
    );
    signal?.addEventListener("abort", this.#onAbort);
  }

  /** Whether the log has ended: the records that exist now are all. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Until something may have changed since the last call: true, or false when the time is over. */
  async wait(milliseconds?: number): Promise<boolean> {
    if (!this.#changed && !this.#ended && !this.#signal?.aborted) {
      let timer: Timer | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (milliseconds !== undefined) timer = setTimeout(resolve, Math.min(milliseconds, 1e9));
      });
      clearTimeout(timer);
      this.#wake = undefined;
    }
    const changed = this.#changed;
    this.#changed = false;
    return changed;
  }

  [Symbol.dispose](): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = () => this.#notice();

  #notice(): void {
    this.#changed = true;
    this.#wake?.();
  }

  #end(): void {
    this.#ended = true;
    this.#notice();
  }
}
