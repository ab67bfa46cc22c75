import { visibleText } from "#base";
import type { Sink } from "../context.ts";
import type { Style } from "../style.ts";
import { type BuildProgress, type BuildStep, isCanceled } from "./build-progress.ts";
import { type BuildView, statusText } from "./plain-view.ts";

interface TerminalOptions {
  readonly progress: BuildProgress;
  readonly style: Style;
  /** Lines of the terminal. */
  readonly rows: () => number;
}

/** Milliseconds between two pictures. */
const frame = 100;
/** Lines of output below a step that runs. */
const outputLines = 6;

/** Progress on a terminal: a block of steps with their times, redrawn in its place. */
export class TerminalView implements BuildView {
  readonly #sink: Sink;
  readonly #options: TerminalOptions;
  readonly #begun = Date.now();
  readonly #timer: NodeJS.Timeout;
  #drawn = 0;
  #drawing: Promise<void> = Promise.resolve();
  #isDrawing = false;
  #isOver = false;

  constructor(sink: Sink, options: TerminalOptions) {
    this.#sink = sink;
    this.#options = options;
    this.#timer = setInterval(() => this.#refresh(), frame);
    this.#timer.unref();
  }

  async end(): Promise<void> {
    clearInterval(this.#timer);
    await this.#drawing;
    this.#isOver = true;
    await this.#draw();
  }

  /** A terminal that is slow gets fewer pictures. */
  #refresh(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    this.#drawing = this.#draw().then(
      () => {
        this.#isDrawing = false;
      },
      // The command ends with the next write that is awaited.
      () => clearInterval(this.#timer),
    );
  }

  async #draw(): Promise<void> {
    const width = this.#sink.columns;
    const lines = blockLines({ ...this.#options, width, begun: this.#begun, isOver: this.#isOver });
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : "";
    this.#drawn = lines.length;
    await this.#sink.write(
      `\x1b[?25l${up}${lines.map((line) => `${line}\x1b[K\n`).join("")}\x1b[J\x1b[?25h`,
    );
  }
}

/** The picture: a title, and below it as many of the steps as there is room for, those that run first. */
function blockLines(options: {
  readonly progress: BuildProgress;
  readonly style: Style;
  readonly rows: () => number;
  readonly width: number;
  /** Milliseconds since 1970. */
  readonly begun: number;
  readonly isOver: boolean;
}): string[] {
  const { progress, style, width, begun, isOver } = options;
  const { steps, total } = progress;
  const done = steps.filter(({ completed }) => completed !== undefined).length;
  const end = Date.now();
  const failed = steps.some((step) => step.error !== undefined);
  const state = !isOver ? "" : failed ? " FAILED" : " FINISHED";
  const title = `[+] Building ${((end - begun) / 1000).toFixed(1)}s (${done}/${total})${state}`;
  const head = style.bold(title.slice(0, width));
  const room = Math.max(4, options.rows() - 2);
  const parts = steps.map((step) => ({ step, lines: stepLines(step, { style, width, end }) }));
  const count = () => parts.reduce((sum, { lines }) => sum + lines.length, 0);
  // At the end all of it may scroll away.
  for (let at = 0; !isOver && count() > room && at < parts.length; ) {
    if (parts[at]?.step.completed !== undefined) parts.splice(at, 1);
    else at++;
  }
  const lines = parts.flatMap((part) => part.lines);
  return [head, ...(isOver ? lines : lines.slice(-room))];
}

function stepLines(
  step: BuildStep,
  { style, width, end }: { readonly style: Style; readonly width: number; readonly end: number },
): string[] {
  const seconds = ((step.completed ?? end) - (step.started ?? end)) / 1000;
  const word = stateOf(step);
  const title = ` => ${word === "" ? "" : `${word} `}${visibleText(step.name)}`;
  const paint =
    step.error !== undefined ? style.red : step.completed === undefined ? plain : style.blue;
  const lines = [paint(withTime(title, `${Math.max(0, seconds).toFixed(1)}s`, width))];
  const statuses = [...step.statuses.values()].slice(-outputLines);
  for (const status of statuses) {
    lines.push(paint(` => => ${visibleText(statusText(status))}`.slice(0, width - 1)));
  }
  if (step.completed !== undefined) return lines;
  for (const { text } of step.output.slice(-outputLines)) {
    lines.push(style.dim(` => => # ${visibleText(lastOf(text))}`.slice(0, width - 1)));
  }
  return lines;
}

function stateOf(step: BuildStep): string {
  if (step.error !== undefined) return isCanceled(step) ? "CANCELED" : "ERROR";
  return step.isCached ? "CACHED" : "";
}

/** The title to the left, the time at the right margin. */
function withTime(title: string, time: string, width: number): string {
  const room = Math.max(10, width - time.length - 2);
  return `${title.slice(0, room).padEnd(room)} ${time}`;
}

/** What a terminal would show of a line that goes back to its beginning. */
function lastOf(line: string): string {
  return line.replace(/\r+$/, "").split("\r").at(-1) ?? "";
}

function plain(text: string): string {
  return text;
}
