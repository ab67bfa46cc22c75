/** A step of the work under an id, and how far it has come; `current` and `total` in bytes. */
export interface Progress {
  readonly id?: string;
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

/** Receives progress, as often as it happens; `throttled` makes it bearable. */
export type Report = (progress: Progress) => void;

/**
 * Passes on the progress of each id at most once per `interval` milliseconds; a change of status
 * and the end always pass.
 */
export function throttled(report: Report, interval = 100): Report {
  const last = new Map<string, { readonly at: number; readonly status: string }>();
  return (progress) => {
    const key = progress.id ?? "";
    const now = performance.now();
    const before = last.get(key);
    const finished = progress.total !== undefined && progress.current === progress.total;
    if (before?.status === progress.status && !finished && now - before.at < interval) return;
    last.set(key, { at: now, status: progress.status });
    report(progress);
  };
}

/** Adds up the bytes that several downloads of one step have received. */
export class Meter {
  readonly #id: string;
  readonly #status: string;
  readonly #report: Report;
  #current = 0;
  #total = 0;

  constructor(id: string, status: string, report: Report) {
    this.#id = id;
    this.#status = status;
    this.#report = report;
  }

  expect(bytes: number): void {
    this.#total += bytes;
  }

  add(bytes: number): void {
    this.#current += bytes;
    this.#report({
      id: this.#id,
      status: this.#status,
      current: this.#current,
      total: this.#total,
    });
  }
}
