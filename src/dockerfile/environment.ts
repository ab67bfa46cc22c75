/** Variables of a stage on top of those of the stage before it, which must change no more. */
export class Environment {
  readonly #own = new Map<string, string>();
  readonly #base: Environment | undefined;

  constructor(base?: Environment) {
    // An empty layer in between would only make lookups longer.
    this.#base = base && base.#own.size === 0 ? base.#base : base;
  }

  get(name: string): string | undefined {
    for (let scope: Environment | undefined = this; scope; scope = scope.#base) {
      const value = scope.#own.get(name);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  set(name: string, value: string): void {
    this.#own.set(name, value);
  }

  /** The number of names, or more where the base has some of them too. */
  get size(): number {
    return this.#own.size + (this.#base?.size ?? 0);
  }

  /** Each name once, those of the base first, in the order in which they were set first. */
  names(): Set<string> {
    const names = this.#base?.names() ?? new Set<string>();
    for (const name of this.#own.keys()) names.add(name);
    return names;
  }
}
