import { setTimeout as delay } from "node:timers/promises";
import { type FilterChange, watchNftables } from "#kernel";
import { userChain } from "./firewall.ts";

/** A firewall that is loaded anew changes in many steps. */
const courtesyMs = 20;

/**
 * Watches what other programs do to the host's packet filter; not what this process itself does.
 * The changes that come within a moment are one call of `review`, which is told whether any of
 * them took something away from the instance's own table.
 */
export class FilterWatch implements AsyncDisposable {
  readonly #table: string;
  /** Tells its own failures. */
  readonly #review: (isRobbed: boolean) => Promise<void>;
  #watch: Disposable | undefined;
  #reviews: Promise<void> = Promise.resolve();
  #isDue = false;
  #isRobbed = false;
  #isClosed = false;

  /** Nothing is watched before `start`. */
  constructor(table: string, review: (isRobbed: boolean) => Promise<void>) {
    this.#table = table;
    this.#review = review;
  }

  /** To be called before the first look at the packet filter, so that no change of it goes unseen. */
  start(): void {
    if (this.#isClosed) return;
    this.#watch ??= watchNftables(
      (change) => this.#notice(change),
      () => this.#restart(),
    );
  }

  /** Resolves when the last review has ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#watch?.[Symbol.dispose]();
    await this.#reviews;
  }

  #notice({ table, chain, isRemoval }: FilterChange): void {
    if (table === this.#table && chain === userChain) return;
    if (table === this.#table && isRemoval) this.#isRobbed = true;
    this.#schedule();
  }

  /** Notices were lost: anything may have changed. */
  #restart(): void {
    this.#watch?.[Symbol.dispose]();
    this.#watch = undefined;
    this.#isRobbed = true;
    this.start();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#reviews = this.#reviews.then(() => delay(courtesyMs)).then(() => this.#look());
  }

  async #look(): Promise<void> {
    const isRobbed = this.#isRobbed;
    this.#isDue = false;
    this.#isRobbed = false;
    if (!this.#isClosed) await this.#review(isRobbed);
  }
}
