/** Keeps the largest of many things without keeping the others; equals in the order in which they came. */
export class Largest<T> {
  readonly #limit: number;
  readonly #sizeOf: (item: T) => number;
  #items: { readonly item: T; readonly size: number; readonly number: number }[] = [];
  #count = 0;

  constructor(limit: number, sizeOf: (item: T) => number) {
    this.#limit = limit;
    this.#sizeOf = sizeOf;
  }

  add(item: T): void {
    this.#items.push({ item, size: this.#sizeOf(item), number: this.#count++ });
    if (this.#items.length >= 2 * this.#limit + 64) this.#cut();
  }

  /** Largest first. */
  sorted(): T[] {
    this.#cut();
    return this.#items.map(({ item }) => item);
  }

  #cut(): void {
    this.#items.sort((a, b) => b.size - a.size || a.number - b.number);
    this.#items.length = Math.min(this.#items.length, this.#limit);
  }
}
