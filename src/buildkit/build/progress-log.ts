import type { StatusDraft } from "./status-message.ts";

/** How much progress a job remembers for those that ask late; about bytes. */
const maxRemembered = 16 << 20;

/**
 * What a build said of its progress, from its beginning: whoever follows is told all of it. Of a very
 * long one the oldest is forgotten. A follower that is slow is never waited for.
 */
export class ProgressLog {
  #entries: { readonly status: StatusDraft; readonly size: number }[] = [];
  /** How many entries were forgotten. */
  #forgotten = 0;
  #size = 0;
  #hasEnded = false;
  #grown = Promise.withResolvers<void>();

  /** @param size about the bytes that it takes */
  add(status: StatusDraft, size: number): void {
    if (this.#hasEnded) return;
    this.#entries.push({ status, size });
    this.#size += size;
    while (this.#size > maxRemembered && this.#entries.length > 1) {
      this.#size -= this.#entries.shift()?.size ?? 0;
      this.#forgotten += 1;
    }
    this.#tell();
  }

  /** Nothing more is added; followers end. */
  end(): void {
    this.#hasEnded = true;
    this.#tell();
  }

  /** All until the end, or until the signal fires. */
  async *follow(signal: AbortSignal): AsyncGenerator<StatusDraft, void> {
    const left = Promise.withResolvers<void>();
    signal.addEventListener("abort", () => left.resolve(), { once: true });
    let next = 0;
    while (!signal.aborted) {
      const entry = this.#entries[Math.max(0, next - this.#forgotten)];
      if (entry) {
        next = Math.max(next, this.#forgotten) + 1;
        yield entry.status;
      } else if (this.#hasEnded) return;
      else await Promise.race([this.#grown.promise, left.promise]);
    }
  }

  #tell(): void {
    this.#grown.resolve();
    this.#grown = Promise.withResolvers();
  }
}
