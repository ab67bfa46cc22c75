import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, readdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Statement, statementOf } from "#attest";
import { Scope } from "#base";
import { formatPlatform } from "#image";
import { type Mount, mountAll } from "#kernel";
import { type AttestationOptions, hasAttestations, predicatesOf } from "./attestations.ts";
import type { PrivateMount } from "./build-files.ts";
import type { CarrierParts } from "./carrier.ts";
import type { BuildOutcome, BuiltImage } from "./contract.ts";

type FileParts = Pick<CarrierParts, "snapshots" | "mount">;

/** What is written beside the files of a result. */
export interface FileOptions {
  readonly attestations: AttestationOptions;
  /** Before the names of attestations. */
  readonly attestationPrefix: string;
}

/** The root of an image that was built, read-only. */
export async function mountImage(
  { snapshots, mount }: FileParts,
  { layers }: BuiltImage,
): Promise<PrivateMount> {
  const chain = layers.at(-1)?.chainId;
  return await mount(chain === undefined ? [] : snapshots.plannedView(chain));
}

/**
 * The files of a result as BuildKit's exporters of files lay them out: those of an image, its
 * attestations in its root; of several images each in a directory of its platform, as "linux_amd64".
 */
export async function mountResult(
  parts: FileParts,
  { images }: BuildOutcome,
  options: FileOptions,
): Promise<PrivateMount> {
  await using scope = new Scope();
  const [first] = images;
  if (images.length === 1) return await mountWithStatements(parts, first, options);
  const { path, root } = scope.use(await parts.mount([memory]));
  for (const image of images) {
    const directory = join(path, formatPlatform(image.platform).replaceAll("/", "_"));
    const files = scope.use(await mountWithStatements(parts, image, options));
    await mkdir(directory);
    const view: Mount = { type: "bind", source: files.path, options: ["bind", "ro"] };
    scope.use(await mountAll([view], directory));
  }
  const held = scope.release();
  return { path, root, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

const memory: Mount = { type: "tmpfs", source: "tmpfs", options: ["mode=755", "nosuid", "nodev"] };

async function mountWithStatements(
  parts: FileParts,
  image: BuiltImage,
  { attestations, attestationPrefix }: FileOptions,
): Promise<PrivateMount> {
  const { snapshots, mount } = parts;
  if (!hasAttestations(attestations)) return await mountImage(parts, image);
  await using scope = new Scope();
  const files = scope.use(await mountImage(parts, image));
  const added = scope.use(await mount([memory]));
  const subject = await subjectsIn(files.path);
  for (const { type, value, fileName } of await predicatesOf(image, files, attestations)) {
    const path = join(added.path, attestationPrefix + fileName);
    await writeFile(path, `${JSON.stringify(statementOf(type, value, subject), null, 2)}\n`);
    await utimes(path, ...timesOf(image));
  }
  await utimes(added.path, ...timesOf(image));
  const chain = image.layers.at(-1)?.chainId;
  const below = chain === undefined ? [] : snapshots.layers(chain);
  const { path, root } = scope.use(await mount([stacked([added.path, ...below])]));
  const held = scope.release();
  return { path, root, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** Directories over one another, uppermost first, as a file system to read. */
function stacked(directories: readonly string[]): Mount {
  const guarded = ["ro", "nosuid", "nodev", "noexec"];
  const [only = ""] = directories;
  if (directories.length === 1) {
    return { type: "bind", source: only, options: ["bind", ...guarded] };
  }
  const lower = directories.map((path) => `lowerdir+=${path}`);
  return { type: "overlay", source: "overlay", options: [...guarded, ...lower] };
}

/** Times of access and change that are the same for the same image. */
function timesOf({ config }: BuiltImage): [Date, Date] {
  const created = new Date(config.created ?? 0);
  return [created, created];
}

/** All files of a tree, with what they hold. */
async function subjectsIn(root: string): Promise<Statement["subject"]> {
  const found: Statement["subject"][number][] = [];
  const walk = async (below: string): Promise<void> => {
    const entries = await readdir(join(root, below), { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const name = join(below, entry.name);
      if (entry.isDirectory()) await walk(name);
      else if (entry.isFile()) found.push({ name, digest: { sha256: await sumOf(root, name) } });
    }
  };
  await walk("");
  return found;
}

async function sumOf(root: string, name: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(join(root, name))) hash.update(chunk as Uint8Array);
  return hash.digest("hex");
}
