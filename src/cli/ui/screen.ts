import type { Context, TerminalSize } from "../context.ts";

const enter = "\u001b[?1049h\u001b[?25l\u001b[?7l";
const leave = "\u001b[?7h\u001b[?25h\u001b[?1049l";

/** The terminal as a whole; what was on it before comes back when it is left. */
export class Screen {
  readonly #context: Context;
  #shown: readonly string[] = [];
  #isOpen = false;

  constructor(context: Context) {
    this.#context = context;
  }

  get size(): TerminalSize {
    const { rows = 0, columns = 0 } = this.#context.stdin.size() ?? {};
    return rows > 0 && columns > 0 ? { rows, columns } : { rows: 24, columns: 80 };
  }

  /** Takes the terminal. */
  async open(): Promise<void> {
    this.#isOpen = true;
    this.#shown = [];
    await this.#context.out.write(`${enter}\u001b[2J`);
  }

  /** Gives it back; a second call does nothing. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#context.out.write(leave);
  }

  /** Shows these rows; only those that differ from the last ones are written. */
  async show(rows: readonly string[]): Promise<void> {
    if (!this.#isOpen) return;
    const isResized = rows.length !== this.#shown.length;
    const changed = rows.flatMap((row, at) =>
      isResized || row !== this.#shown[at] ? [`\u001b[${at + 1};1H${row}\u001b[0m`] : [],
    );
    this.#shown = rows;
    if (changed.length > 0)
      await this.#context.out.write(`${isResized ? "\u001b[2J" : ""}${changed.join("")}`);
  }

  /** The next picture is drawn anew, as after a change of size. */
  forget(): void {
    this.#shown = [];
  }
}
