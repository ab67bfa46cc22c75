import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { defined, Fault } from "#base";
import { nameComponents, nameToText, readTar, showName } from "#tar";
import { findLacks, type Lack } from "./completeness.ts";
import type { Report } from "./progress.ts";
import type { RootTree } from "./root-tree.ts";
import { TreeWriter } from "./tree-writer.ts";

/** The files that an image is to have, and nothing else. */
export interface ScratchOptions {
  /** An uncompressed tar of the files with the names that they have in the image. */
  readonly files: AsyncIterable<Uint8Array>;
  /** The command of the image; absent: its first executable file. */
  readonly cmd?: readonly string[];
  /** An existing directory of the caller's; the tree is made in it. */
  readonly workDir: string;
  readonly report?: Report;
  readonly signal?: AbortSignal;
}

const limits = { entries: 100_000, totalBytes: 2 ** 36 };
const listed = 10;

/**
 * Makes a tree of just these files. Everything in it can run: a program whose loader
 * or libraries are not among the files, or a script without its interpreter, is
 * refused with all that is missing named. A failed run leaves nothing in `workDir`.
 */
export async function makeScratch(options: ScratchOptions): Promise<RootTree> {
  const directory = join(options.workDir, "root");
  await mkdir(directory, { mode: 0o755 });
  try {
    const first = await unpack(options, directory);
    options.report?.({ id: "scratch", status: "Checking that nothing is missing" });
    const lacks = await findLacks(directory);
    if (lacks.length > 0) throw incomplete(lacks);
    const cmd = options.cmd ?? (first === undefined ? undefined : [first]);
    return {
      directory,
      config: {
        ...defined({ cmd }),
        env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      },
    };
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Gives the path of the first executable file. */
async function unpack(
  { files, signal, report }: ScratchOptions,
  directory: string,
): Promise<string | undefined> {
  const tree = new TreeWriter(directory, "the image's files");
  let first: string | undefined;
  let any = false;
  for await (const entry of readTar(files, limits)) {
    if (signal?.aborted) throw new Fault("canceled", "canceled");
    const path = `/${nameComponents(entry.name).map(nameToText).join("/")}`;
    if (entry.xattrs !== undefined && entry.xattrs.size > 0)
      throw new Fault(
        "unsupported",
        `${showName(entry.name)} has extended attributes (${[...entry.xattrs.keys()].map(nameToText).join(", ")}), which a scratch image cannot keep`,
        { about: path },
      );
    await tree.put(entry);
    if (entry.type === "directory") continue;
    any = true;
    report?.({ id: "scratch", status: `Added ${path}` });
    if (entry.type === "file" && (entry.mode & 0o111) !== 0) first ??= path;
  }
  if (!any) throw new Fault("invalid", "an image of nothing was asked for: name at least one file");
  return first;
}

function incomplete(lacks: readonly Lack[]): Fault {
  const lines = lacks.slice(0, listed).map(explain);
  if (lacks.length > listed) lines.push(`and ${lacks.length - listed} more`);
  return new Fault(
    "invalid",
    `these files cannot run in an image that has no other files:\n${lines.map((line) => `  ${line}`).join("\n")}\nBuild them statically (gcc -static, a musl target, CGO_ENABLED=0 with Go), or add what is missing`,
    { about: lacks[0]?.file ?? "" },
  );
}

function explain({ file, loader, libraries, interpreter }: Lack): string {
  if (interpreter !== undefined) return `${file} is a script for ${interpreter}, which is missing`;
  const parts = [
    ...(loader === undefined ? [] : [`the loader ${loader}`]),
    ...(libraries.length === 0
      ? []
      : [`${libraries.length === 1 ? "the library" : "the libraries"} ${libraries.join(", ")}`]),
  ];
  return `${file} is dynamically linked and lacks ${parts.join(" and ")}`;
}
