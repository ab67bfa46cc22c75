import type { BuildMessage, BuildStatus } from "#wire";
import type { Sink } from "../context.ts";
import { type BuildChange, type BuildStep, isCanceled, milliseconds } from "./build-progress.ts";

/** How the progress of a build is shown. */
export interface BuildView {
  /** Each message as it came, before what it changed. */
  message?(message: BuildMessage): Promise<void>;
  show?(change: BuildChange): Promise<void>;
  /** Nothing more will be shown. */
  end?(): Promise<void>;
}

/** Milliseconds after which the output of one step makes room for that of another. */
const turn = 5000;

/**
 * Progress as lines of text, as BuildKit's plain output: "#5 [2/4] RUN make", "#5 0.123 output", "#5
 * DONE 0.3s". Steps run at once, so one has the floor, and others are shown when they end, or when
 * it has had it for long.
 */
export class PlainView implements BuildView {
  readonly #sink: Sink;
  readonly #waiting = new Map<BuildStep, string[]>();
  readonly #openLines = new Set<BuildStep>();
  readonly #told = new Map<string, { readonly current: number; readonly time: number }>();
  #current: BuildStep | undefined;
  #since = 0;
  #isFirst = true;
  #pending = "";

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  async show(change: BuildChange): Promise<void> {
    const { step } = change;
    const lines = this.#waiting.get(step) ?? [];
    this.#waiting.set(step, lines);
    if (change.status) lines.push(...this.#statusLine(step, change.status));
    if (change.text !== undefined) lines.push(this.#output(step, change.text));
    if (step.completed !== undefined) this.#print(step);
    else if (this.#isNext(step)) this.#print(step);
    await this.#write();
  }

  async end(): Promise<void> {
    for (const step of this.#waiting.keys()) if (step.started !== undefined) this.#print(step);
    await this.#write();
  }

  #isNext(step: BuildStep): boolean {
    if (step.number === 0) return false;
    if (this.#current === undefined || this.#current === step) return true;
    return Date.now() - this.#since > turn;
  }

  async #write(): Promise<void> {
    const text = this.#pending;
    this.#pending = "";
    if (text !== "") await this.#sink.write(text);
  }

  #print(step: BuildStep): void {
    const lines = this.#waiting.get(step) ?? [];
    const before = this.#current;
    if (before !== step) {
      if (before) this.#pending += `${this.#lineEnd(before)}#${before.number} ...\n`;
      this.#pending += `${this.#isFirst ? "" : "\n"}#${step.number} ${step.name}\n`;
      this.#isFirst = false;
      this.#current = step;
      this.#since = Date.now();
    }
    this.#pending += lines.join("");
    lines.length = 0;
    if (step.completed === undefined) return;
    this.#pending += `${this.#lineEnd(step)}#${step.number} ${endOf(step)}\n`;
    this.#waiting.delete(step);
    this.#current = undefined;
    const next = [...this.#waiting].find(
      ([each, waiting]) => each.number > 0 && waiting.length > 0,
    );
    if (next) this.#print(next[0]);
  }

  #lineEnd(step: BuildStep): string {
    return this.#openLines.delete(step) ? "\n" : "";
  }

  /** A line that was begun goes on without its number. */
  #output(step: BuildStep, text: string): string {
    const isContinued = this.#openLines.has(step);
    const prefix = `#${step.number} ${step.started === undefined ? "" : `${secondsOf(step)} `}`;
    const ends = text.endsWith("\n");
    const lines = (ends ? text.slice(0, -1) : text).split("\n");
    if (ends) this.#openLines.delete(step);
    else this.#openLines.add(step);
    const shown = lines.map((line, at) => (at === 0 && isContinued ? line : `${prefix}${line}`));
    return `${shown.join("\n")}${ends ? "\n" : ""}`;
  }

  /** Progress is told at its beginning, at its end, and where it has come on by 5% or 5 s. */
  #statusLine(step: BuildStep, status: BuildStatus): string[] {
    const key = `${step.digest} ${status.id}`;
    const last = this.#told.get(key);
    const { current, total = 0 } = status;
    const now = Date.now();
    const isTold = last && status.completed === undefined;
    const share = total > 0 ? (current - (last?.current ?? 0)) / total : 0;
    if (isTold && share < 0.05 && now - last.time < 5000) return [];
    this.#told.set(key, { current, time: now });
    return [`#${step.number} ${statusText(status)}\n`];
  }
}

function endOf(step: BuildStep): string {
  if (step.error !== undefined) return isCanceled(step) ? "CANCELED" : `ERROR: ${step.error}`;
  if (step.isCached) return "CACHED";
  const seconds = ((step.completed ?? 0) - (step.started ?? step.completed ?? 0)) / 1000;
  return `DONE ${seconds.toFixed(1)}s`;
}

/** "transferring context: 2.00MB / 4.00MB 0.1s done". */
export function statusText({ id, current, total = 0, started, completed }: BuildStatus): string {
  const amount =
    total > 0
      ? ` ${bytesText(current)} / ${bytesText(total)}`
      : current > 0
        ? ` ${bytesText(current)}`
        : "";
  const end = completed === undefined ? Date.now() : milliseconds(completed);
  const seconds = started === undefined ? 0 : (end - milliseconds(started)) / 1000;
  const time = seconds > 0.01 ? ` ${seconds.toFixed(1)}s` : "";
  return `${id}${amount}${time}${completed === undefined ? "" : " done"}`;
}

/** As BuildKit writes sizes: "59B", "2.00MB". */
function bytesText(bytes: number): string {
  if (bytes < 1000) return `${bytes}B`;
  const power = Math.min(4, Math.floor(Math.log10(bytes) / 3));
  return `${(bytes / 1000 ** power).toFixed(2)}${["B", "kB", "MB", "GB", "TB"][power]}`;
}

function secondsOf(step: BuildStep): string {
  return elapsedText(step.output.at(-1)?.seconds ?? 0);
}

/** Seconds in five characters: "0.123", "12.34". */
export function elapsedText(seconds: number): string {
  const text = seconds < 0.1 ? seconds.toFixed(3) : seconds.toPrecision(4);
  return text.slice(0, 5);
}
