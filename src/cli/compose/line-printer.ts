import type { OutputPart } from "#client";
import type { Context } from "../context.ts";

/** How lines of containers are shown. */
export interface LineOptions {
  readonly hasPrefix: boolean;
  readonly isColoured: boolean;
  readonly hasTime: boolean;
}

const newline = 0x0a;
/** A line is shown in parts when it is longer. */
const maxLine = 64 * 1024;

/** Shows the output of several containers, whole lines behind the names of their containers. */
export class LinePrinter {
  readonly #context: Context;
  readonly #options: LineOptions;
  readonly #names: string[] = [];
  readonly #open = new Map<string, Buffer[]>();

  constructor(context: Context, options: LineOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** A container whose lines are shown; prefixes are as wide as the longest name. */
  add(name: string): void {
    if (!this.#names.includes(name)) this.#names.push(name);
  }

  async print(name: string, { stream, bytes }: OutputPart): Promise<void> {
    const key = `${stream} ${name}`;
    const parts = this.#open.get(key) ?? [];
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      await this.#line(name, stream, [...parts.splice(0), Buffer.from(bytes.subarray(start, end))]);
      start = end + 1;
    }
    if (start < bytes.length) parts.push(Buffer.from(bytes.subarray(start)));
    this.#open.set(key, parts);
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    if (size > maxLine) await this.#line(name, stream, parts.splice(0));
  }

  /** Shows what a container began and did not end with a newline. */
  async finish(name: string): Promise<void> {
    for (const stream of ["stdout", "stderr"] as const) {
      const parts = this.#open.get(`${stream} ${name}`) ?? [];
      if (parts.length > 0) await this.#line(name, stream, parts.splice(0));
    }
  }

  /** A line of our own among them. */
  async say(text: string): Promise<void> {
    await this.#context.out.write(`${text}\n`);
  }

  async #line(
    name: string,
    stream: OutputPart["stream"],
    parts: readonly Uint8Array[],
  ): Promise<void> {
    const sink = stream === "stderr" ? this.#context.err : this.#context.out;
    const time = this.#options.hasTime ? `${new Date().toISOString()} ` : "";
    const prefix = this.#options.hasPrefix ? this.#prefix(name) : "";
    await sink.write(Buffer.concat([Buffer.from(prefix + time), ...parts, Buffer.from("\n")]));
  }

  #prefix(name: string): string {
    const width = Math.max(...this.#names.map((one) => one.length)) + 1;
    const text = `${name.padEnd(width)} | `;
    if (!this.#options.isColoured) return text;
    const { style } = this.#context;
    const paints = [style.cyan, style.yellow, style.green, style.magenta, style.blue];
    return (paints[this.#names.indexOf(name) % paints.length] ?? style.cyan)(text);
  }
}
