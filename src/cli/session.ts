import { poll } from "#base";
import type { ProcessStream } from "#client";
import { DetachFilter, defaultDetachKeys, parseDetachKeys } from "#wire";
import type { Context, TerminalSize } from "./context.ts";
import { Exit } from "./failure.ts";

export interface SessionOptions {
  readonly stream: ProcessStream;
  readonly stdin: boolean;
  /** The process has a terminal: keys go to it as they are typed, and the detach keys are watched for. */
  readonly tty: boolean;
  readonly detachKeys?: string | undefined;
}

/**
 * Docker's refusal of a terminal for the container when standard input is not one; before anything
 * is created.
 */
export function requireTerminal(context: Context, options: { tty: boolean; stdin: boolean }): void {
  if (options.tty && options.stdin && !context.stdin.isTerminal) {
    throw new Exit(1, "the input device is not a TTY");
  }
}

/** Carries input and output until the output ends, or the user presses the detach keys. */
export async function runSession(
  context: Context,
  options: SessionOptions,
): Promise<"ended" | "detached"> {
  const { stream } = options;
  const restore = options.tty && options.stdin ? context.stdin.raw() : undefined;
  const detached = options.stdin ? pumpInput(context, options) : undefined;
  try {
    const ended = pumpOutput(context, stream);
    return await (detached ? Promise.race([ended, detached]) : ended);
  } finally {
    restore?.();
    stream.close();
  }
}

async function pumpOutput(context: Context, stream: ProcessStream): Promise<"ended"> {
  for await (const part of stream.output()) {
    await (part.stream === "stderr" ? context.err : context.out).write(part.bytes);
  }
  return "ended";
}

/** Settles only when the user detaches; the end of the input is passed on. */
function pumpInput(context: Context, options: SessionOptions): Promise<"detached"> {
  const { stream, tty } = options;
  const filter = tty
    ? new DetachFilter(parseDetachKeys(options.detachKeys || defaultDetachKeys))
    : undefined;
  return new Promise((resolve, reject) => {
    const pump = async () => {
      for await (const bytes of context.stdin.read()) {
        const { pass, detach } = filter?.push(bytes) ?? { pass: bytes, detach: false };
        if (pass.byteLength > 0) await stream.write(pass);
        if (detach) return resolve("detached");
      }
      stream.end();
    };
    // The process may end, and the connection with it, while there is still input.
    pump().catch((error: unknown) => {
      if (!(error instanceof Error && "code" in error && error.code === "unavailable"))
        reject(error);
    });
  });
}

/** Gives the container's terminal the size of ours, now and whenever it changes; the returned function ends that. */
export function followSize(
  context: Context,
  resize: (size: TerminalSize) => Promise<void>,
): () => void {
  const apply = async () => {
    const size = context.stdin.size();
    if (!size || size.rows === 0 || size.columns === 0) return;
    const isResized = () =>
      resize(size).then(
        () => true,
        () => false,
      );
    // Just after a start the terminal may not be there yet.
    await poll(isResized, { attempts: 10, base: 10, max: 100 });
  };
  const changed = () => void apply();
  process.on("SIGWINCH", changed);
  changed();
  return () => void process.off("SIGWINCH", changed);
}
