import { readFile } from "node:fs/promises";
import { defined, Fault } from "#base";
import { type Frame, FrameReader, PayloadReader } from "./frame.ts";
import { exitCodeOf, type LaunchError, readLaunchError } from "./launch-error.ts";
import { frame as type } from "./tags.ts";

/** How a process ended. Times in nanoseconds since the epoch. */
export interface ExitRecord {
  readonly id: string;
  /** As a shell gives it: 128 and the signal's number after a signal. */
  readonly exitCode: number;
  /** 0 when it ended by itself. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** 0 when the program never ran. */
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly rusage?: {
    readonly userMicros: bigint;
    readonly systemMicros: bigint;
    readonly maxRssKiB: bigint;
  };
  /** Why the program never ran. */
  readonly error?: LaunchError;
}

/** Payload of an EXIT frame, with the error that came before it if one did. */
export function readExitFrame(frame: Frame, id: string, error?: LaunchError): ExitRecord {
  const payload = new PayloadReader(frame);
  const code = payload.u32();
  return {
    id,
    exitCode: error ? exitCodeOf(error) : code,
    signal: payload.u32(),
    oomKilled: payload.u32() !== 0,
    startedAt: payload.u64(),
    finishedAt: payload.u64(),
    rusage: {
      userMicros: payload.u64(),
      systemMicros: payload.u64(),
      maxRssKiB: payload.u64(),
    },
    ...defined({ error }),
  };
}

/**
 * The record that a monitor left about its process: frames HELLO, ERROR if the launch failed, EXIT.
 * The monitor renames it into place, so it is always whole; undefined when the file is missing,
 * `data_loss` when it is not an exit record. Throws Node's error when it cannot be read.
 */
export async function readExitRecord(path: string): Promise<ExitRecord | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  const frames = new FrameReader().push(bytes);
  const hello = frames.find((frame) => frame.type === type.HELLO);
  const exit = frames.find((frame) => frame.type === type.EXIT);
  if (!hello || !exit)
    throw new Fault("data_loss", `${path} is not an exit record: it is damaged or not ours`, {
      about: path,
    });
  const payload = new PayloadReader(hello);
  payload.u32();
  const failed = frames.find((frame) => frame.type === type.ERROR);
  return readExitFrame(exit, payload.text(), failed && readLaunchError(failed));
}
