import { createHash } from "node:crypto";
import type { BuildMessage } from "#wire";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { buildFlags } from "../table/build.ts";
import { BuildProgress } from "./build-progress.ts";
import { type BuildView, PlainView } from "./plain-view.ts";
import { RawJsonView } from "./raw-json-view.ts";
import { TerminalView } from "./terminal-view.ts";

/** The progress of a build, shown as the flags ask; also of what this side does. */
export interface BuildShow {
  readonly progress: BuildProgress;
  message(message: BuildMessage): Promise<void>;
  warn(message: string): Promise<void>;
  /** Something that this side does: it is a step with a number of bytes that come and go. */
  transfer<T>(
    name: string,
    what: string,
    work: (onBytes: (bytes: number) => void) => Promise<T>,
  ): Promise<T>;
  /** Nothing is shown from then on. */
  end(): Promise<void>;
}

/** Progress is on standard error, as buildx has it. */
export function openShow(context: Context, flags: Values<typeof buildFlags>): BuildShow {
  const progress = new BuildProgress();
  let view = viewOf(context, flags, progress);
  const message = async (each: BuildMessage) => {
    const change = progress.apply(each);
    await view?.message?.(each);
    if (change) await view?.show?.(change);
  };
  return {
    progress,
    message,
    warn: async (text) => {
      if (!flags.quiet) await context.err.write(`WARNING: ${text}\n`);
    },
    transfer: (name, what, work) => transfer(message, { name, what, work }),
    async end() {
      const shown = view;
      view = undefined;
      await shown?.end?.();
    },
  };
}

function viewOf(
  context: Context,
  flags: Values<typeof buildFlags>,
  progress: BuildProgress,
): BuildView | undefined {
  const { err, style, stdin } = context;
  const mode = flags.quiet ? "quiet" : (flags.progress ?? modeOf(context.env.BUILDKIT_PROGRESS));
  if (mode === "quiet" || mode === "none") return undefined;
  if (mode === "rawjson") return new RawJsonView(err);
  if (mode === "plain") return new PlainView(err);
  if (mode === "tty" && !err.isTerminal) {
    throw new Exit(1, "ERROR: failed to build: --progress=tty needs a terminal as standard error");
  }
  if (!err.isTerminal) return new PlainView(err);
  return new TerminalView(err, { progress, style, rows: () => stdin.size()?.rows ?? 24 });
}

function modeOf(word: string | undefined): string {
  return word !== undefined && /^(plain|tty|rawjson|quiet)$/.test(word) ? word : "auto";
}

/** Bytes that are told of at once; many small writes are one step of the progress. */
const told = 256 << 10;

async function transfer<T>(
  message: (message: BuildMessage) => Promise<void>,
  options: {
    readonly name: string;
    readonly what: string;
    readonly work: (onBytes: (bytes: number) => void) => Promise<T>;
  },
): Promise<T> {
  const { name, what, work } = options;
  const digest = `sha256:${createHash("sha256").update(name).digest("hex")}`;
  const started = now();
  const vertex = { kind: "vertex", digest, name, inputs: [], started } as const;
  const status = { kind: "status", vertex: digest, id: what, started } as const;
  await message(vertex);
  let bytes = 0;
  try {
    const result = await work((count) => {
      const isMore = count - bytes >= told;
      bytes = count;
      if (isMore) void message({ ...status, current: bytes });
    });
    await message({ ...status, current: bytes, completed: now() });
    await message({ ...vertex, completed: now() });
    return result;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    await message({
      ...vertex,
      completed: now(),
      error: why.replace(/^ERROR: failed to build: /, ""),
    });
    throw error;
  }
}

/** Nanoseconds since 1970. */
function now(): string {
  return String(BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n);
}
