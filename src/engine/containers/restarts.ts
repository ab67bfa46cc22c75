import type { ContainerId } from "#base";
import { pauseAfter } from "./restart-policy.ts";

interface Entry {
  /** Milliseconds, of the latest wait between two runs. */
  readonly pause: number | undefined;
  readonly timer: ReturnType<typeof setTimeout> | undefined;
}

/** The containers that wait for their next start, which their policy asks for. */
export class Restarts {
  readonly #entries = new Map<ContainerId, Entry>();
  readonly #start: (id: ContainerId) => void;
  #isClosed = false;

  /** `start` is called after each wait. */
  constructor(start: (id: ContainerId) => void) {
    this.#start = start;
  }

  /** Waits after a run of that many milliseconds, longer each time. */
  after(id: ContainerId, ran: number): void {
    const pause = pauseAfter(this.#entries.get(id)?.pause, ran);
    this.#wait(id, pause, pause);
  }

  /** Starts as soon as the caller is done. */
  soon(id: ContainerId): void {
    this.#wait(id, 0, this.#entries.get(id)?.pause);
  }

  /** Ends the wait, and the memory of those before: its user stops or starts it. */
  forget(id: ContainerId): void {
    clearTimeout(this.#entries.get(id)?.timer);
    this.#entries.delete(id);
  }

  /** Nothing starts from now on; those that wait are found by the next engine. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#entries.values()) clearTimeout(timer);
    this.#entries.clear();
  }

  #wait(id: ContainerId, milliseconds: number, pause: number | undefined): void {
    if (this.#isClosed) return;
    clearTimeout(this.#entries.get(id)?.timer);
    const timer = setTimeout(() => {
      this.#entries.set(id, { pause, timer: undefined });
      this.#start(id);
    }, milliseconds);
    this.#entries.set(id, { pause, timer });
  }
}
