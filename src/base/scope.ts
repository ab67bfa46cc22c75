/**
 * Cleanup declared where a thing is acquired. Disposed in reverse order; `release`
 * hands everything to a new owner instead, once all steps have succeeded.
 */
export class Scope implements AsyncDisposable {
  #stack = new AsyncDisposableStack();

  defer(cleanup: () => void | Promise<void>): void {
    this.#stack.defer(cleanup);
  }

  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  release(): AsyncDisposableStack {
    return this.#stack.move();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}
