import { basename, dirname } from "node:path";
import { defined, Fault, isFault } from "#base";
import { addon } from "./addon.ts";
import { openChannel } from "./channel.ts";
import { socketPair } from "./descriptors.ts";
import { check } from "./errno.ts";
import type { Fd } from "./fd.ts";
import { O_DIRECTORY, O_PATH, openat2, type Path } from "./files.ts";
import { runJob } from "./reports.ts";

/** How a copy is followed, and ended before its time. */
export interface CopyWatch {
  readonly signal?: AbortSignal | undefined;
  /** Hears now and then how many bytes are copied by now; of what is shared it hears nothing. */
  readonly onCopied?: ((bytes: number) => void) | undefined;
}

/**
 * Copies all that is in one directory, and the directory's own attributes, to an empty one: owners,
 * modes, times, extended attributes, hard links, holes, devices. Data is shared where the file
 * system can (FICLONE of ioctl_ficlone(2)); else it is copied within the kernel or on a thread of
 * the addon. Gives the bytes that were copied rather than shared.
 *
 * No name is walked twice and no symbolic link is followed. Both descriptors stay open until this
 * settles. A fault names the path below the directory; what was copied until then stays. `canceled`
 * soon after the signal has fired.
 */
export async function copyTree(from: Fd, to: Fd, watch: CopyWatch = {}): Promise<number> {
  const { signal, onCopied } = watch;
  const [ours, theirs] = socketPair();
  using line = theirs;
  using channel = openChannel(ours);
  using _heard = onAbort(signal, () => channel.close());
  if (onCopied) channel.onData(readCounts(onCopied));
  return await startCopy({ from, to, line, waits: 0, signal });
}

/**
 * Copies as `copyTree` does a tree that others write to, and that has to be the tree of one moment.
 * On btrfs and xfs most of it is shared while they write. Then `holding` is called, which stops them,
 * calls `finish` once and lets them go on: meanwhile what they have changed is shared again. Where
 * nothing can be shared all is copied in `finish`. Gives what `holding` gives; `canceled` soon after
 * the signal has fired.
 */
export async function copyTreeHolding(
  from: Fd,
  to: Fd,
  holding: (finish: () => Promise<number>) => Promise<number>,
  { signal, onCopied = () => undefined }: CopyWatch = {},
): Promise<number> {
  const [ours, theirs] = socketPair();
  using line = theirs;
  using channel = openChannel(ours);
  using _heard = onAbort(signal, () => channel.close());
  const copied = startCopy({ from, to, line, waits: 1, signal });
  const ready = Promise.withResolvers<void>();
  channel.onData(readCounts((bytes) => (bytes < 0 ? ready.resolve() : onCopied(bytes))));
  try {
    await Promise.race([ready.promise, copied]);
    return await holding(async () => {
      if (!signal?.aborted) channel.write(Buffer.alloc(1));
      return await copied;
    });
  } finally {
    // Ends a copy that still waits; the descriptors are its own until then.
    channel.close();
    await copied.catch(() => undefined);
  }
}

/** Numbers of 8 bytes, which may come in pieces. */
function readCounts(each: (count: number) => void): (bytes: Uint8Array) => void {
  let rest = Buffer.alloc(0);
  return (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    for (; rest.length >= 8; rest = rest.subarray(8)) each(Number(rest.readBigInt64LE()));
  };
}

function onAbort(signal: AbortSignal | undefined, act: () => void): Disposable {
  if (signal?.aborted) act();
  signal?.addEventListener("abort", act);
  return { [Symbol.dispose]: () => signal?.removeEventListener("abort", act) };
}

interface Copy {
  readonly from: Fd;
  readonly to: Fd;
  /** The copy ends when its other end is closed. */
  readonly line: Fd;
  /** Whether the second pass waits for a byte on the line. */
  readonly waits: 0 | 1;
  readonly signal: AbortSignal | undefined;
}

async function startCopy({ from, to, line, waits, signal }: Copy): Promise<number> {
  let path: string | undefined;
  try {
    const { value } = await runJob(
      (id) => addon().copyTree(id, from.number, to.number, line.number, waits),
      { call: "copyTree", verb: "copy", about: "a directory" },
      (bytes) => {
        path = Buffer.from(bytes).toString();
        return undefined;
      },
    );
    return value;
  } catch (error) {
    if (signal?.aborted) throw new Fault("canceled", "the copy was canceled", { cause: error });
    if (path === undefined || !isFault(error)) throw error;
    const detail = { about: path, cause: error, ...defined({ errno: error.errno || undefined }) };
    throw new Fault(error.code, `${error.message}, at ${path}`, detail);
  }
}

/**
 * Removes a file, or a directory with all that is in it, however deep; does nothing for a missing
 * path. It stops at a mount in the tree (`invalid` or `unavailable`), and follows no symbolic link
 * in it. After a fault the part that was removed stays so.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    using parent = openat2(undefined, dirname(path), { flags: O_PATH | O_DIRECTORY });
    await runJob((id) => addon().removeTree(id, parent.number, basename(path)), {
      call: "unlinkat",
      verb: "remove",
      about: path,
    });
  } catch (error) {
    if (!isFault(error, "not_found")) throw error;
  }
}

/**
 * As `removeTree`, for a name in a directory that others may change meanwhile; blocks this thread.
 * `not_found` for a missing name.
 */
export function removeTreeNow(directory: Fd, name: Path): void {
  check(addon().removeTreeNow(directory.number, name), {
    call: "unlinkat",
    verb: "remove",
    about: name,
  });
}
