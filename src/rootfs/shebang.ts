import type { FileHandle } from "node:fs/promises";

/** The first line of a script, as execve(2) reads it. */
export interface Shebang {
  readonly interpreter: string;
  /** All that follows the interpreter, as one argument; "" where nothing does. */
  readonly argument: string;
}

/**
 * The interpreter that a script names; undefined for other files. The kernel looks no further than
 * 255 bytes. A carriage return at the end of the line is part of it, as for the kernel.
 */
export async function readShebang(file: FileHandle): Promise<Shebang | undefined> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(256), 0, 256, 0);
  const text = buffer.toString("utf8", 0, bytesRead);
  const [, interpreter, argument = ""] =
    /^#![ \t]*([^ \t\n\0]+)(?:[ \t]+([^\n\0]*))?/.exec(text) ?? [];
  return interpreter === undefined ? undefined : { interpreter, argument: argument.trimEnd() };
}
