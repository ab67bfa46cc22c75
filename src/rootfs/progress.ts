/** As the engine's progress records: what goes on under an id, and how far it has come. */
export interface Progress {
  readonly id?: string;
  readonly status: string;
  readonly current?: number;
  readonly total?: number;
}

export type Report = (progress: Progress) => void;

/** Passes on what is new of each id ten times a second at most; a change of status and the end always. */
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

/** Adds up what several downloads of one step have received. */
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
