import { formatBytes } from "#base";
import type { JsonMessage } from "#wire";
import type { Context } from "./context.ts";
import { Exit } from "./failure.ts";

/** How a stream of progress is shown: bars on a terminal, a line for each stage in a pipe, JSON, or not at all. */
export type ProgressMode = "auto" | "json" | "quiet";

/** Shows a progress stream to its end; gives the last id in it. An error in the stream becomes the command's. */
export async function showProgress(
  context: Context,
  messages: AsyncIterable<JsonMessage>,
  mode: ProgressMode = "auto",
): Promise<string | undefined> {
  const view = new ProgressView(context);
  let id: string | undefined;
  for await (const message of messages) {
    if (mode === "json") await context.out.write(`${JSON.stringify(message)}\n`);
    if (message.error !== undefined || message.errorDetail) {
      await view.end();
      throw new Exit(undefined, message.errorDetail?.message ?? message.error ?? "failed");
    }
    if (message.aux && "ID" in message.aux) id = message.aux.ID;
    if (mode === "auto") await view.show(message);
  }
  await view.end();
  return id;
}

interface Line {
  status: string;
  current: number;
  total: number;
}

/** Frames a second that a terminal is redrawn at. */
const rate = 15;

class ProgressView {
  readonly #context: Context;
  readonly #lines = new Map<string, Line>();
  #drawn = 0;
  #lastFrame = 0;
  #said = "";

  constructor(context: Context) {
    this.#context = context;
  }

  async show(message: JsonMessage): Promise<void> {
    if (message.stream !== undefined) return await this.#say(message.stream.trimEnd());
    const { status, id, progressDetail } = message;
    if (status === undefined) return;
    if (id === undefined) return await this.#say(status);
    const { current = 0, total = 0 } = progressDetail ?? {};
    if (!this.#context.out.isTerminal) {
      const before = this.#lines.get(id);
      // Counted steps are one stage, also where each has a status of its own.
      const isCounted = total > 0 && before?.total === total;
      if (before?.status !== status && !isCounted) await this.#say(`${id}: ${status}`);
      this.#lines.set(id, { status, current, total });
      return;
    }
    this.#lines.set(id, { status, current, total });
    const now = Date.now();
    if (now - this.#lastFrame < 1000 / rate) return;
    this.#lastFrame = now;
    await this.#draw();
  }

  /** Leaves the last state of the bars on the screen. */
  async end(): Promise<void> {
    if (!this.#context.out.isTerminal || this.#lines.size === 0) return;
    await this.#draw();
    this.#lines.clear();
    this.#drawn = 0;
  }

  /** A line of its own, above the bars. */
  async #say(text: string): Promise<void> {
    if (text === "" || text === this.#said) return;
    this.#said = text;
    if (!this.#context.out.isTerminal) {
      await this.#context.out.write(`${text}\n`);
      return;
    }
    await this.#context.out.write(`${this.#back()}${text}\n`);
    await this.#draw();
  }

  async #draw(): Promise<void> {
    const { style, out } = this.#context;
    const width = out.columns;
    const lines = [...this.#lines].slice(-8).map(([id, line]) => {
      const left = `${id}: ${line.status}`.slice(0, Math.max(10, width - 42));
      const right = line.total > 0 ? bar(line) : line.current > 0 ? formatBytes(line.current) : "";
      const text = right === "" ? left.slice(0, width - 1) : `${left} ${style.cyan(right)}`;
      return `${text}\x1b[K\n`;
    });
    await out.write(this.#back() + lines.join(""));
    this.#drawn = lines.length;
  }

  /** To the first line of the bars, which are wiped. */
  #back(): string {
    const code = this.#drawn > 0 ? `\x1b[${this.#drawn}A\x1b[J` : "";
    this.#drawn = 0;
    return code;
  }
}

function bar({ current, total }: Line): string {
  const done = Math.min(1, current / total);
  const filled = Math.round(done * 20);
  // The stream does not say what it counts; a few thousand are things, not bytes.
  const amount = (value: number) => (total < 10_000 ? String(value) : formatBytes(value));
  return `[${"=".repeat(filled)}${" ".repeat(20 - filled)}] ${amount(current)}/${amount(total)}`;
}
