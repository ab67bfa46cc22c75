/**
 * Cleanup declared where a thing is acquired. Disposed in reverse order; `release`
 * hands everything to a new owner instead, once all steps have succeeded.
 */
export class Scope implements AsyncDisposable {
  #stack = new AsyncDisposableStack();

  /** The cleanup runs once, when the scope is disposed; never after `release`. */
  defer(cleanup: () => void | Promise<void>): void {
    this.#stack.defer(cleanup);
  }

  /** Takes the resource over and gives it back, to be disposed with the scope. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  /**
   * All that was acquired, for the new owner to dispose; the scope is then empty and takes nothing
   * more.
   */
  release(): AsyncDisposableStack {
    return this.#stack.move();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
