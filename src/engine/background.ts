import { faultOf, type Log } from "#base";

/** Work that goes on after its caller was answered: failures are logged, `close` waits for all of it. */
export class Background {
  readonly #running = new Set<Promise<void>>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  run(doing: string, work: () => Promise<unknown>): Promise<void> {
    const task = (async () => {
      try {
        await work();
      } catch (error) {
        this.#log.error(`${doing} failed`, { error: faultOf(error).message });
      }
    })();
    this.#running.add(task);
    void task.then(() => this.#running.delete(task));
    return task;
  }

  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }
}
