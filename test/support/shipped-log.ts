import { appendFileSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatTime } from "#base";
import { type LogTarget, logTarget } from "#log-driver";
import { LogShipper } from "#logs";
import { eventually } from "./run-container.ts";

/** A log that a test writes in the place of a monitor, and the shippers that read it. */
export class ShippedLog implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "thimble-ship-"));
  readonly path = join(this.directory, "x-json.log");
  /** What shippers told. */
  readonly reports: string[] = [];
  #told = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  readonly #maxFiles: number;
  #shipper: LogShipper | undefined;
  #run: Promise<void> | undefined;

  constructor(maxFiles = 3) {
    this.#maxFiles = maxFiles;
  }

  get shipper(): LogShipper {
    if (!this.#shipper) throw new Error("no shipper was started");
    return this.#shipper;
  }

  /** Starts a shipper to the receiver of these options, in place of the one before. */
  async ship(driver: string, options: Record<string, string>, change?: Partial<LogTarget>) {
    await this.stop();
    const target = { ...logTarget(driver, options), ...change } as LogTarget;
    const shipper = new LogShipper(
      {
        ...{ path: this.path, maxFiles: this.#maxFiles, target },
        mark: join(this.directory, "shipped"),
        subject: {
          ...{ id: "c".repeat(64), name: "web", imageId: "i", imageName: "busybox", command: "sh" },
          ...{ createdAt: 0n, hostname: "host", tag: "tag", attributes: new Map() },
        },
        report: {
          receiver: (failure) => this.#report(failure ? "down" : "up"),
          shipped: () => undefined,
          dropped: (lines) => this.#report(`dropped ${lines}`),
          lostPlace: () => this.#report("lost"),
          unmarked: () => this.#report("unmarked"),
        },
      },
      this.#ended.promise,
    );
    this.#shipper = shipper;
    this.#run = shipper.run();
    return shipper;
  }

  /** Lines "line FROM" to "line TO - 1", whose times are one millisecond apart. */
  write(from: number, to: number): void {
    const lines = shippedLines(from, to).map((line, index) => record(`${line}\n`, from + index));
    appendFileSync(this.path, lines.join(""));
  }

  put(log: string, millisecond: number, stream = "stdout"): void {
    appendFileSync(this.path, record(log, millisecond, stream));
  }

  /** Settles once the shipper has the current file open. */
  async seen(): Promise<void> {
    const { ino } = statSync(this.path);
    await eventually(() => openInodes().has(ino) || undefined, "the new file to be opened");
  }

  /** As a monitor does it. */
  rotate(): void {
    rmSync(`${this.path}.${this.#maxFiles - 1}`, { force: true });
    for (let index = this.#maxFiles - 1; index-- > 1; ) {
      try {
        renameSync(`${this.path}.${index}`, `${this.path}.${index + 1}`);
      } catch {
        // Not there yet.
      }
    }
    renameSync(this.path, `${this.path}.1`);
    appendFileSync(this.path, "");
  }

  /** Settles once the shipper has told this. */
  async reported(text: string): Promise<void> {
    while (!this.reports.includes(text)) await this.#told.promise;
  }

  /** No more is written; settles once all is shipped. */
  async end(): Promise<void> {
    this.#ended.resolve();
    await this.#run;
  }

  /** As when the engine closes. */
  async stop(): Promise<void> {
    this.#shipper?.stop();
    await this.#run;
  }

  #report(text: string): void {
    this.reports.push(text);
    this.#told.resolve();
    this.#told = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true });
  }
}

function openInodes(): Set<number> {
  const stats = readdirSync("/proc/self/fd").map((fd) =>
    statSync(`/proc/self/fd/${fd}`, { throwIfNoEntry: false }),
  );
  return new Set(stats.map((stat) => stat?.ino ?? 0));
}

function record(log: string, millisecond: number, stream = "stdout"): string {
  const time = formatTime(1_700_000_000_000_000_000n + BigInt(millisecond) * 1_000_000n);
  return `${JSON.stringify({ log, stream, time })}\n`;
}

/** The texts of the lines that `write` writes. */
export function shippedLines(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `line ${from + index}`);
}
