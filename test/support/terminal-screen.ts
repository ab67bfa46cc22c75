import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { Terminal } from "@xterm/headless";
import type { Running } from "./thimble-cli.ts";

/** What a user of a full-screen program sees, by a terminal emulator. */
export class TerminalScreen {
  readonly #terminal: Terminal;
  readonly #program: Running;
  #changed = Promise.withResolvers<void>();
  #isOver = false;

  constructor(program: Running, size: { readonly rows: number; readonly columns: number }) {
    this.#program = program;
    this.#terminal = new Terminal({ rows: size.rows, cols: size.columns, allowProposedApi: true });
    program.onOutput((bytes) => this.#terminal.write(bytes, () => this.#change()));
    void program.ended.then(() => {
      this.#isOver = true;
      this.#change();
    });
  }

  /** The rows, without the spaces at their ends. */
  get text(): string {
    const { active } = this.#terminal.buffer;
    const rows = Array.from({ length: this.#terminal.rows }, (_, row) =>
      active.getLine(active.viewportY + row)?.translateToString(true),
    );
    return rows.join("\n");
  }

  /** Whether the program has taken the terminal, and what was there before is kept. */
  get isAlternate(): boolean {
    return this.#terminal.buffer.active.type === "alternate";
  }

  /** Sends keys, and gives the screen once it fits. */
  async until(wanted: RegExp, keys = ""): Promise<string> {
    if (keys !== "") this.#program.send(keys);
    while (!wanted.test(this.text)) {
      if (this.#isOver) throw new Error(`the program ended before ${wanted}:\n${this.text}`);
      await this.#changed.promise;
    }
    return this.text;
  }

  /** The screen once the terminal is as it was before. */
  async untilLeft(keys: string): Promise<void> {
    this.#program.send(keys);
    while (this.isAlternate) await this.#changed.promise;
  }

  /** Gives the program's terminal another size, of which the kernel tells it. */
  resize(size: { readonly rows: number; readonly columns: number }): void {
    this.#terminal.resize(size.columns, size.rows);
    const pts = terminalOf(this.#program.pid);
    Bun.spawnSync(["stty", "-F", pts, "rows", `${size.rows}`, "cols", `${size.columns}`]);
  }

  #change(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** The terminal of a child of the process. */
function terminalOf(parent: number): string {
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    const isChild = new RegExp(`^PPid:\\s+${parent}$`, "m");
    try {
      if (isChild.test(readFileSync(`/proc/${pid}/status`, "utf8")))
        return readlinkSync(`/proc/${pid}/fd/0`);
    } catch {
      // It has ended meanwhile.
    }
  }
  throw new Error(`process ${parent} has no child with a terminal`);
}
