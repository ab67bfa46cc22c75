import { Fault } from "#base";
import type { Sink, Source, TerminalSize } from "./context.ts";

type Fs = typeof import("node:fs");

/**
 * Standard output or error. `process.stdout` costs 5 ms to load, node:fs less than one;
 * Bun's own writers lose errors (a full disk) and, on a non-blocking pipe, repeat bytes.
 */
export function openSink(descriptor: 1 | 2, env: { readonly COLUMNS?: string | undefined }): Sink {
  let terminal: boolean | undefined;
  const isTerminal = () => (terminal ??= isTty(descriptor));
  return {
    async write(data) {
      const bytes = typeof data === "string" ? Buffer.from(data) : data;
      const fs = await import("node:fs");
      for (let at = 0; at < bytes.byteLength; ) at += await writeSome(fs, descriptor, bytes, at);
    },
    get isTerminal() {
      return isTerminal();
    },
    get columns() {
      const stream = descriptor === 1 ? process.stdout : process.stderr;
      const fixed = Number(env.COLUMNS);
      if (Number.isInteger(fixed) && fixed > 0) return fixed;
      return (isTerminal() && stream.columns) || 80;
    },
  };
}

function writeSome(fs: Fs, fd: number, bytes: Uint8Array, at: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.write(fd, bytes, at, bytes.byteLength - at, null, (error, written) => {
      if (!error) resolve(written);
      // Someone else has made the descriptor non-blocking, and the reader is slow.
      else if (error.code === "EAGAIN") setTimeout(resolve, 5, 0);
      else if (error.code === "EPIPE") reject(new Fault("canceled", "the output was closed"));
      else {
        const name = fd === 1 ? "standard output" : "standard error";
        reject(new Fault("exhausted", `cannot write to ${name}: ${error.message}`));
      }
    });
  });
}

/** Standard input; nothing is read before `read` or `raw` is called. */
export function openStdin(): Source {
  return {
    get isTerminal() {
      return isTty(0);
    },
    async *read() {
      for await (const chunk of process.stdin) {
        yield typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array);
      }
    },
    raw() {
      if (!isTty(0)) return undefined;
      process.stdin.setRawMode(true);
      // setRawMode leaves output processing on: a bare newline of a full-screen program would
      // become a carriage return and a newline. `false` restores the former state.
      process
        .getBuiltinModule("node:child_process")
        .spawnSync("stty", ["-opost"], { stdio: ["inherit", "ignore", "ignore"] });
      return () => void process.stdin.setRawMode(false);
    },
    size(): TerminalSize | undefined {
      const stream = [process.stdout, process.stderr].find((one) => one.isTTY);
      if (!stream) return undefined;
      const [columns, rows] = stream.getWindowSize();
      return { columns, rows };
    },
  };
}

/** Whether a descriptor is a terminal. node:tty takes milliseconds to load and is asked for character devices only. */
function isTty(descriptor: 0 | 1 | 2): boolean {
  const fs = process.getBuiltinModule("node:fs");
  try {
    const stat = fs.fstatSync(descriptor);
    if (!stat.isCharacterDevice() || stat.rdev === devNull) return false;
  } catch {
    return false;
  }
  return process.getBuiltinModule("node:tty").isatty(descriptor);
}

/** makedev(1, 3): the commonest character device that is not a terminal. */
const devNull = (1 << 8) | 3;
