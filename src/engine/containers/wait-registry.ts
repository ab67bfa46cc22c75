import type { ContainerId } from "#base";
import type { WaitCondition } from "../contract.ts";

export interface WaitResult {
  readonly exitCode: number;
  readonly error?: string;
}

interface Waiter {
  readonly condition: WaitCondition;
  readonly resolve: (result: WaitResult) => void;
}

/** Who waits for which container to end or to be gone. Waiters cost one entry each and leave with their condition. */
export class WaitRegistry {
  readonly #waiters = new Map<ContainerId, Set<Waiter>>();

  add(id: ContainerId, condition: WaitCondition): Promise<WaitResult> {
    const { promise, resolve } = Promise.withResolvers<WaitResult>();
    let waiters = this.#waiters.get(id);
    if (!waiters) {
      waiters = new Set();
      this.#waiters.set(id, waiters);
    }
    waiters.add({ condition, resolve });
    return promise;
  }

  /** The container ended: everyone but who waits for its removal is told. */
  exited(id: ContainerId, result: WaitResult): void {
    this.#settle(id, result, (waiter) => waiter.condition !== "removed");
  }

  /** A run ended, and another follows by itself: who waits until it stops for good waits on. */
  endedOnce(id: ContainerId, result: WaitResult): void {
    this.#settle(id, result, (waiter) => waiter.condition === "next-exit");
  }

  /** The container is gone, with its last exit code. */
  removed(id: ContainerId, result: WaitResult): void {
    this.#settle(id, result, () => true);
  }

  #settle(id: ContainerId, result: WaitResult, meant: (waiter: Waiter) => boolean): void {
    const waiters = this.#waiters.get(id);
    if (!waiters) return;
    for (const waiter of [...waiters].filter(meant)) {
      waiters.delete(waiter);
      waiter.resolve(result);
    }
    if (waiters.size === 0) this.#waiters.delete(id);
  }
}
