import { faultOf, type Log } from "#base";
import type { Background } from "../background.ts";
import type { MadeBackup } from "./backup-contract.ts";
import type { BackupTable, StoredSchedule } from "./backup-table.ts";

/** Milliseconds: the clock of the machine may be set meanwhile. */
const longestSleep = 600_000;

/** The parts that scheduled backups work on. */
export interface BackupRunsOptions {
  readonly table: BackupTable;
  readonly background: Background;
  readonly log: Log;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * Makes the backups that are due, one after the other. Those that were missed while there was no
 * engine are made up for by one. Begins with `start`, after all is settled.
 */
export class BackupRuns {
  readonly #options: BackupRunsOptions;
  readonly #closing = new AbortController();
  #run: ((schedule: StoredSchedule, signal: AbortSignal) => Promise<MadeBackup>) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isRunning = false;

  constructor(options: BackupRunsOptions) {
    this.#options = options;
  }

  /** Begins, with what makes a backup; a second call does nothing. */
  start(run: (schedule: StoredSchedule, signal: AbortSignal) => Promise<MadeBackup>): void {
    if (this.#run) return;
    this.#run = run;
    this.wake();
  }

  /** Looks again what is due when: a schedule has changed. */
  wake(): void {
    clearTimeout(this.#timer);
    if (!this.#run || this.#isRunning || this.#closing.signal.aborted) return;
    const due = this.#options.table.schedules().map(({ next }) => next);
    if (due.length === 0) return;
    const sleep = Math.max(0, Math.min(...due) - this.#options.now());
    const timer = setTimeout(() => this.#begin(), Math.min(sleep, longestSleep));
    timer.unref();
    this.#timer = timer;
  }

  /** No run begins any more, and the one under way is broken off. */
  close(): void {
    clearTimeout(this.#timer);
    this.#closing.abort();
  }

  #begin(): void {
    this.#isRunning = true;
    void this.#options.background.run("making scheduled backups", async () => {
      try {
        for (const schedule of this.#options.table.schedules()) await this.#runIfDue(schedule);
      } finally {
        this.#isRunning = false;
        this.wake();
      }
    });
  }

  async #runIfDue(schedule: StoredSchedule): Promise<void> {
    const { table, log, now } = this.#options;
    const { volume, destination, every } = schedule;
    const { signal } = this.#closing;
    const last = now();
    if (schedule.next > last || signal.aborted) return;
    table.began(volume, destination, { last, next: last + every * 1000 });
    try {
      const made = await this.#run?.(schedule, signal);
      if (made) table.ended(volume, destination, { tag: made.tag });
    } catch (error) {
      // One that was broken off by the engine's end is still due.
      if (signal.aborted) table.began(volume, destination, { last, next: last });
      else {
        const { message } = faultOf(error);
        table.ended(volume, destination, { error: message });
        log.error("a scheduled backup failed", { volume, destination, error: message });
      }
    }
  }
}
