import type { Progress, Report } from "#orchestrator";
import type { Context } from "../context.ts";
import { failureText } from "../failure.ts";

/** How progress is shown. */
export type ProgressMode = "auto" | "tty" | "plain" | "json" | "quiet";

/** Shows what happens to resources on the standard error, in the order in which it was told. */
export class ProgressView {
  readonly #context: Context;
  readonly #mode: ProgressMode;
  readonly #states = new Map<string, Progress>();
  #writes: Promise<void> = Promise.resolve();
  #drawn = 0;

  constructor(context: Context, mode: ProgressMode = "auto") {
    this.#context = context;
    this.#mode = mode === "auto" ? (context.err.isTerminal ? "tty" : "plain") : mode;
  }

  readonly report: Report = (progress) => {
    if (this.#mode === "quiet") return;
    this.#states.set(progress.id, progress);
    if (this.#mode === "tty") this.#draw();
    else this.#write(this.#mode === "json" ? `${json(progress)}\n` : plain(progress));
  };

  /** A message beside the resources. */
  say(text: string): void {
    const place = this.#mode === "tty" ? this.#back() : "";
    this.#write(`${place}${text}\n`);
    if (this.#mode === "tty") this.#draw();
  }

  /** Settles when all of it is written; what comes later starts anew. */
  async end(): Promise<void> {
    this.#drawn = 0;
    this.#states.clear();
    await this.#writes;
  }

  #write(text: string): void {
    this.#writes = this.#writes.then(() => this.#context.err.write(text));
    this.#writes.catch(() => undefined);
  }

  #draw(): void {
    const { style, err } = this.#context;
    const all = [...this.#states.values()];
    const done = all.filter(({ status }) => status !== "working").length;
    const marks = {
      working: style.cyan("⠿"),
      done: style.green("✔"),
      warning: style.yellow("!"),
      error: style.red("✘"),
    };
    const width = Math.max(...all.map(({ id }) => id.length));
    const lines = all.map((one) => {
      const text = `${one.id.padEnd(width)}  ${wholeWordsOf(one)}`.slice(0, err.columns - 4);
      return ` ${marks[one.status]} ${text}\n`;
    });
    const text = `${this.#back()}[+] Running ${done}/${all.length}\n${lines.join("")}`;
    this.#drawn = lines.length + 1;
    this.#write(text);
  }

  /** To the first line that was drawn, which is wiped with those below it. */
  #back(): string {
    const code = this.#drawn > 0 ? `\x1b[${this.#drawn}A\x1b[J` : "";
    this.#drawn = 0;
    return code;
  }
}

const wordsOf = ({ text, cause }: Progress) => (cause === undefined ? text : failureText(cause));

const wholeWordsOf = (progress: Progress) =>
  [progress.detail, wordsOf(progress)].filter(Boolean).join(" ");

/** A line as docker compose prints it where no terminal is. */
function plain(progress: Progress): string {
  const words = wordsOf(progress);
  if (progress.detail !== undefined) return ` ${progress.id} ${progress.detail} ${words}\n`;
  return progress.id.includes(" ") ? ` ${progress.id}  ${words}\n` : ` ${progress.id} ${words} \n`;
}

const statusWords = { working: "Working", done: "Done", warning: "Warning", error: "Error" };

function json(progress: Progress): string {
  const { id, status } = progress;
  return JSON.stringify({ id, status: statusWords[status], text: wholeWordsOf(progress) });
}
