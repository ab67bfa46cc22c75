import { imageKey } from "./named-context.ts";
import type { Operation } from "./operation.ts";

/**
 * Operations of several plans, so that what is the same in them is one: a stage that all platforms
 * need runs once.
 */
export class OperationPool {
  readonly #known = new Map<string, Operation>();
  readonly #numbers = new Map<unknown, number>();

  /** The operation, or one before that does the same with the same inputs, which are in the pool. */
  share(operation: Operation): Operation {
    const key = operation.kind === "image" ? imageKey(operation) : this.#keyOf(operation);
    const known = this.#known.get(key);
    if (known) return known;
    this.#known.set(key, operation);
    this.#numbers.set(operation, this.#numbers.size);
    return operation;
  }

  #keyOf(operation: Operation): string {
    return JSON.stringify(operation, (name, value: unknown) => {
      const number = name === "" ? undefined : this.#numbers.get(value);
      return number === undefined ? value : { operation: number };
    });
  }
}
