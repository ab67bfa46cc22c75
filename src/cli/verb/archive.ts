import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { reasonOf } from "../local-file.ts";
import { showProgress } from "../progress.ts";
import { sourceDateEpoch } from "../source-date.ts";
import type { outputFlags } from "../table/containers.ts";
import type { importFlags, loadFlags, saveFlags } from "../table/images.ts";

export const save: Verb<typeof saveFlags> = async (context, { flags, args }) => {
  const { output, platform, compression } = flags;
  await writeArchive(context, output, "save", (signal) =>
    context.client.images.save(args, { platform, compression, ...(signal && { signal }) }),
  );
  return 0;
};

export const exportContainer: Verb<typeof outputFlags> = async (context, { flags, args }) => {
  const [ref = ""] = args;
  await writeArchive(context, flags.output, "export", (signal) =>
    context.client.containers.export(ref, signal),
  );
  return 0;
};

export const load: Verb<typeof loadFlags> = async (context, { flags }) => {
  if (flags.input === undefined && context.stdin.isTerminal) {
    throw new Error("requested load from stdin, but stdin is empty");
  }
  const archive = flags.input === undefined ? context.stdin.read() : readArchive(flags.input);
  const { quiet, platform } = flags;
  await showProgress(context, context.client.images.load(archive, { quiet, platform }));
  return 0;
};

export const importImage: Verb<typeof importFlags> = async (context, { flags, args }) => {
  const [source = "", reference] = args;
  if (/^https?:\/\//.test(source)) {
    throw new Error(
      `cannot import from ${source}: download it, or pipe it in (curl ... | thimble import - NAME)`,
    );
  }
  const archive = source === "-" ? context.stdin.read() : readArchive(source);
  const messages = context.client.images.import(archive, {
    reference,
    message: flags.message,
    changes: flags.change,
    platform: flags.platform,
    epoch: sourceDateEpoch(context.env),
  });
  await showProgress(context, messages);
  return 0;
};

function readArchive(path: string): AsyncIterable<Uint8Array> {
  return openArchive(path).source;
}

/**
 * A file of this machine as a stream; that it is missing is said before anything is sent. `size` is
 * in bytes, undefined for pipes and devices.
 */
export function openArchive(path: string): {
  readonly source: AsyncIterable<Uint8Array>;
  readonly size: number | undefined;
} {
  const fs = process.getBuiltinModule("node:fs");
  let descriptor: number;
  try {
    descriptor = fs.openSync(path, "r");
  } catch (cause) {
    throw new Error(`open ${path}: ${reasonOf(cause)}`, { cause });
  }
  const stat = fs.fstatSync(descriptor);
  if (stat.isDirectory()) throw new Error(`read ${path}: is a directory, and no archive`);
  const source = fs.createReadStream(path, { fd: descriptor, highWaterMark: 256 * 1024 });
  return { source, size: stat.isFile() ? stat.size : undefined };
}

/**
 * An archive to standard output, or to a file, which appears when it is complete. A device or
 * a pipe is written to: another file must not take its place.
 */
export async function writeArchive(
  context: Context,
  path: string | undefined,
  verb: string,
  archive: (signal?: AbortSignal) => AsyncIterable<Uint8Array>,
): Promise<void> {
  if (path === undefined) {
    if (context.out.isTerminal) {
      throw new Error(`cowardly refusing to ${verb} to a terminal. Use the -o flag or redirect`);
    }
    for await (const bytes of archive()) await context.out.write(bytes);
    return;
  }
  await cancellable((signal) => writeFile(path, archive(signal)));
}

/** An archive in a file, which appears when it is complete, or in the device or pipe that is there. */
export async function writeFile(path: string, archive: AsyncIterable<Uint8Array>): Promise<void> {
  const fs = process.getBuiltinModule("node:fs/promises");
  const found = await fs.stat(path).catch(() => undefined);
  const isSpecial = found !== undefined && !found.isFile();
  const place = isSpecial ? path : `${path}.${process.pid}.tmp`;
  const file = await fs.open(place, isSpecial ? "w" : "wx", 0o600).catch((cause: unknown) => {
    throw new Error(`cannot write ${path}: ${reasonOf(cause)}`, { cause });
  });
  try {
    for await (const bytes of archive) await file.writeFile(bytes);
    await file.close();
    if (!isSpecial) await fs.rename(place, path);
  } catch (error) {
    await file.close().catch(() => undefined);
    if (!isSpecial) await fs.rm(place, { force: true });
    throw error;
  }
}
