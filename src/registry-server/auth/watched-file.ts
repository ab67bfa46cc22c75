import { open } from "node:fs/promises";
import { Fault, faultOf, type Log } from "#base";

interface WatchedFileOptions<T> {
  readonly path: string;
  /** The file's name in messages: "password file". */
  readonly what: string;
  readonly parse: (text: string) => T;
  readonly maxBytes: number;
  readonly log: Log;
}

/**
 * The content of a file as it is now: looked at for each use, read again only when it has changed.
 */
export interface WatchedFile<T> {
  current(): Promise<T>;
}

/**
 * Reads `path`; a file that is missing or wrong is a fault (`not_found`, `invalid`) at
 * first. Once it has been right, the last right content stays in force and the log says
 * why the new one does not.
 */
export async function openWatchedFile<T>(options: WatchedFileOptions<T>): Promise<WatchedFile<T>> {
  const { log, what, path } = options;
  let { value, version } = await read(options, undefined);
  let complaint: string | undefined;
  let reading: Promise<void> | undefined;
  const refresh = async () => {
    try {
      const next = await read(options, version);
      if (next.value !== undefined) value = next.value;
      version = next.version;
      complaint = undefined;
    } catch (error) {
      const { message } = faultOf(error);
      if (message !== complaint) log.error(`the former ${what} stays in force`, { path, message });
      complaint = message;
    } finally {
      reading = undefined;
    }
  };
  return {
    async current() {
      reading ??= refresh();
      await reading;
      return value as T;
    },
  };
}

interface Content<T> {
  readonly value: T | undefined;
  readonly version: string;
}

/** The content, or only its version when that is `known`. */
async function read<T>(
  { path, what, parse, maxBytes }: WatchedFileOptions<T>,
  known: string | undefined,
): Promise<Content<T>> {
  const file = await open(path, "r").catch((cause: NodeJS.ErrnoException) => {
    const missing = cause.code === "ENOENT";
    throw new Fault(
      missing ? "not_found" : "invalid",
      `cannot read the ${what} ${path}: ${missing ? "there is no such file" : cause.message}`,
      { about: path, cause },
    );
  });
  try {
    const { mtimeNs, ino, size } = await file.stat({ bigint: true });
    const version = `${ino} ${size} ${mtimeNs}`;
    if (version === known) return { value: undefined, version };
    if (size > BigInt(maxBytes)) {
      throw new Fault("exhausted", `the ${what} ${path} is larger than ${maxBytes} bytes`, {
        about: path,
      });
    }
    return { value: parse(await file.readFile("utf8")), version };
  } finally {
    await file.close();
  }
}
