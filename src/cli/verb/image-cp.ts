import { formatBytes } from "#base";
import { goModes, hasGoMode, type PathStat } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import { reasonOf } from "../local-file.ts";
import { receiveTree } from "../receive-tree.ts";
import type { imageCpFlags } from "../table/images.ts";

export const imageCp: Verb<typeof imageCpFlags> = async (context, { flags, args }) => {
  const [source = "", destination = ""] = args;
  const { image, path } = split(source);
  const { images } = context.client;
  const archive = await images.archive(image, path, { follow: flags["follow-link"] });
  if (destination === "-") {
    if (context.out.isTerminal) {
      archive.close();
      throw new Exit(1, "cowardly refusing to write an archive to a terminal; redirect it");
    }
    for await (const bytes of archive.tar) await context.out.write(bytes);
    return 0;
  }
  const target = await targetOf(archive.stat, path, destination).catch((error: unknown) => {
    archive.close();
    throw error;
  });
  const bytes = await receiveTree(archive.tar, target.base, {
    rename: target.rename,
    skip: (name) => context.err.write(`WARNING: ${name} is not a file; it is left out\n`),
  });
  await tell(context, flags.quiet, bytes, destination);
  return 0;
};

async function tell(context: Context, quiet: boolean, bytes: number, to: string): Promise<void> {
  if (!quiet) await context.err.write(`Successfully copied ${formatBytes(bytes)} to ${to}\n`);
}

/** "IMAGE:/PATH"; an image may have a tag, so that the path begins at the last ":/" . */
function split(source: string): { readonly image: string; readonly path: string } {
  const at = source.lastIndexOf(":/");
  if (at <= 0) throw new Exit(1, `"${source}" names no file of an image: give IMAGE:/PATH`);
  return { image: source.slice(0, at), path: source.slice(at + 1) };
}

interface Target {
  readonly base: string;
  readonly rename: (components: readonly string[]) => readonly string[];
}

/**
 * The place where docker cp would put it: into a directory that exists, under the name that it has
 * in the image; else as the destination itself. A path that ends in "/." stands for the entries of
 * the directory.
 */
async function targetOf(stat: PathStat, path: string, destination: string): Promise<Target> {
  const { lstat, mkdir, stat: look } = process.getBuiltinModule("node:fs/promises");
  const { basename, dirname, resolve } = process.getBuiltinModule("node:path");
  const isDirectory = hasGoMode(stat.mode, goModes.directory);
  const whole = resolve(destination);
  const found = await look(whole).catch(() => undefined);
  // The archive calls a directory "./" and anything else by its name.
  const named = (name: readonly string[]) => (components: readonly string[]) =>
    isDirectory ? [...name, ...components] : name;
  if (found?.isDirectory()) {
    const contents = isDirectory && (/\/\.$/.test(path) || stat.name === "/" || stat.name === ".");
    return { base: whole, rename: named(contents ? [] : [stat.name]) };
  }
  if (isDirectory) {
    if (found) throw new Exit(1, `cannot copy a directory to ${destination}, which is a file`);
    await mkdir(whole).catch((cause: unknown) => {
      throw new Exit(1, `cannot make ${destination}: ${reasonOf(cause)}`);
    });
    return { base: whole, rename: named([]) };
  }
  if (destination.endsWith("/")) throw new Exit(1, `${destination} is not a directory`);
  const parent = dirname(whole);
  const above = await lstat(parent).catch(() => undefined);
  if (!above) throw new Exit(1, `cannot write ${destination}: there is no directory ${parent}`);
  return { base: parent, rename: named([basename(whole)]) };
}
