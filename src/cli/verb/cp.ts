import { formatBytes } from "#base";
import { textToName } from "#tar";
import { goModes, hasGoMode, type PathStat } from "#wire";
import { withByteProgress } from "../byte-progress.ts";
import { cancellable } from "../cancellable.ts";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { isContent, lastPart, parseSide, placeOf } from "../copy-path.ts";
import { Exit } from "../failure.ts";
import type { cpFlags } from "../table/containers.ts";

interface Copy {
  readonly container: string;
  readonly source: string;
  readonly destination: string;
  readonly follow: boolean;
  /** Owners are kept, or of the container's user. */
  readonly archive: boolean;
  readonly quiet: boolean;
}

export const cp: Verb<typeof cpFlags> = async (context, { flags, given, args }) => {
  const [from = "", to = ""] = args;
  if (from === "") throw new Exit(1, "source can not be empty");
  if (to === "") throw new Exit(1, "destination can not be empty");
  const [source, destination] = [parseSide(from), parseSide(to)];
  if (source.container && destination.container)
    throw new Exit(1, "copying between containers is not supported");
  const container = source.container || destination.container;
  if (container === "") throw new Exit(1, "must specify at least one container source");
  const copy = {
    container,
    source: source.path,
    destination: destination.path,
    follow: flags["follow-link"],
    archive: flags.archive,
    quiet: given.has("quiet") ? flags.quiet : !context.out.isTerminal,
  };
  await cancellable((signal) => (source.container ? copyOut : copyIn)(context, copy, signal));
  return 0;
};

async function copyOut(context: Context, copy: Copy, signal: AbortSignal): Promise<void> {
  const { container, destination, quiet } = copy;
  const { containers } = context.client;
  const local = await import("../local-copy.ts");
  const target = destination === "-" ? undefined : await local.targetAt(destination);
  const { path, name } = await sourceInContainer(context, copy);
  const archive = await containers.archive(container, path, {
    holes: target !== undefined,
    signal,
  });
  try {
    if (!target) {
      if (context.out.isTerminal)
        throw new Exit(1, "cowardly refusing to write an archive to a terminal; redirect it");
      for await (const bytes of archive.tar) await context.out.write(bytes);
      return;
    }
    const isDirectory = hasGoMode(archive.stat.mode, goModes.directory);
    const place = placeOf({ isDirectory, name: name ?? ownName(path, archive.stat) }, target);
    const { receiveTree } = await import("../receive-tree.ts");
    const source = quiet
      ? archive.tar
      : withByteProgress(context, "Copying from container", { source: archive.tar });
    // The archive calls all by the name that its path ends in, "." and "/" apart.
    const isNamed = archive.stat.name !== "." && archive.stat.name !== "/";
    const prefix = place.name === "." ? [] : [textToName(place.name)];
    const bytes = await receiveTree(source, place.directory, {
      rename: (components) => [...prefix, ...components.slice(isNamed ? 1 : 0)],
      owners: copy.archive,
      skip: (skipped) => context.err.write(`WARNING: ${skipped} is not a file; it is left out\n`),
    });
    if (!quiet) await tell(context, bytes, target.path);
  } finally {
    archive.close();
  }
}

/** "/" and "dir/." stand for what is in a directory. */
function ownName(path: string, { name }: PathStat): string {
  return name === "/" || isContent(path) ? "." : name;
}

/** With `follow` the file that a link at the path leads to, under the link's name. */
async function sourceInContainer(
  context: Context,
  { container, source, follow }: Copy,
): Promise<{ readonly path: string; readonly name?: string }> {
  if (!follow) return { path: source };
  const stat = await context.client.containers.statPath(container, source).catch(() => undefined);
  if (!stat || !hasGoMode(stat.mode, goModes.symlink)) return { path: source };
  return { path: stat.linkTarget, name: stat.name };
}

async function copyIn(context: Context, copy: Copy, signal: AbortSignal): Promise<void> {
  const { container, source, quiet } = copy;
  const destination = await destinationInContainer(context, copy);
  const put = (directory: string, tar: AsyncIterable<Uint8Array>) =>
    context.client.containers.putArchive(container, directory, tar, {
      copyUIDGID: copy.archive,
      noOverwriteDirNonDir: true,
      signal,
    });
  if (source === "-") {
    if (destination.is !== "directory")
      throw new Exit(1, `destination "${container}:${copy.destination}" must be a directory`);
    if (context.stdin.isTerminal)
      throw new Exit(1, "the archive comes from a pipe, and standard input is a terminal");
    await put(destination.path, context.stdin.read());
    return;
  }
  const local = await import("../local-copy.ts");
  const { sendTree } = await import("../send-tree.ts");
  const { isDirectory, path } = await local.sourceAt(source, copy);
  const name = isContent(source) ? "." : lastPart(path);
  const place = placeOf({ isDirectory, name }, destination);
  const tree = { path, name: textToName(place.name), follow: copy.follow || /\/\.?$/.test(source) };
  const sent = { bytes: 0 };
  const tar = counted(sendTree(tree), sent);
  const shown = quiet ? tar : withByteProgress(context, "Copying to container", { source: tar });
  await put(place.directory, shown);
  if (!quiet) await tell(context, sent.bytes, `${container}:${destination.path}`);
}

async function* counted(source: AsyncIterable<Uint8Array>, sent: { bytes: number }) {
  for await (const bytes of source) {
    sent.bytes += bytes.byteLength;
    yield bytes;
  }
}

/** What is at the destination; a path that cannot be looked at counts as missing, as in docker. */
async function destinationInContainer(
  context: Context,
  { container, destination }: Copy,
): Promise<{ readonly path: string; readonly is: "directory" | "file" | "missing" }> {
  const look = (path: string) =>
    context.client.containers.statPath(container, path).catch(() => undefined);
  const isLink = (stat: PathStat | undefined) =>
    stat !== undefined && hasGoMode(stat.mode, goModes.symlink);
  let path = destination;
  let stat = await look(path);
  if (stat && isLink(stat)) {
    path = stat.linkTarget;
    stat = await look(path);
  }
  if (!stat) return { path, is: "missing" };
  if (hasGoMode(stat.mode, goModes.device))
    throw new Exit(
      1,
      `destination "${container}:${destination}" must be a directory or a regular file: got a device`,
    );
  return { path, is: hasGoMode(stat.mode, goModes.directory) ? "directory" : "file" };
}

async function tell(context: Context, bytes: number, to: string): Promise<void> {
  await context.err.write(`Successfully copied ${formatBytes(bytes)} to ${to}\n`);
}
