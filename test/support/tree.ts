import { closeSync, mkdtempSync, openSync, readdirSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  fstatat,
  getXattr,
  listXattr,
  O_DIRECTORY,
  openat2,
  readlinkatBytes,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Stat,
} from "#kernel";
import { type TarHeader, TarWriter } from "#tar";

/** A directory that is gone at the end of the scope. */
export function temporaryDirectory(name: string): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), `thimble-${name}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export interface TarMember extends Partial<TarHeader> {
  readonly name: string;
  readonly content?: string;
}

/** An archive of members given by what matters of them. */
export function tarOf(members: readonly TarMember[]): Buffer {
  const out: Buffer[] = [];
  const writer = new TarWriter((bytes) => out.push(Buffer.from(bytes)));
  for (const { content = "", ...header } of members) {
    const bytes = Buffer.from(content, "latin1");
    const plain = {
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 1_000_000_000n,
      linkName: "",
    } as const;
    writer.entry({ ...plain, size: bytes.length, ...header }, bytes);
  }
  writer.finish();
  return Buffer.concat(out);
}

export async function* streamOf(bytes: Uint8Array, size = 65536): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

/** All that a tree is, one line each: name, type and mode, owner, time, size or target, attributes, content. */
export function describeTree(path: string): string[] {
  const lines: string[] = [];
  describe(Buffer.from(path), "", lines);
  return lines;
}

function describe(host: Buffer, at: string, lines: string[]): void {
  const stat = fstatat(undefined, host, false);
  const type = stat.mode & S_IFMT;
  const isDirectory = type === S_IFDIR;
  const slash = host.lastIndexOf(0x2f);
  using directory = openat2(undefined, isDirectory ? host : host.subarray(0, slash), {
    flags: O_DIRECTORY,
  });
  const entry = isDirectory ? "" : host.subarray(slash + 1);
  const attributes = listXattr(directory, entry)
    .sort()
    .map((key) => `${key}=${getXattr(directory, entry, key)?.toString("hex")}`);
  const owner = `${stat.uid}:${stat.gid}`;
  const what = detail(host, stat);
  lines.push([`/${at}`, stat.mode.toString(8), owner, stat.mtime, what, ...attributes].join(" "));
  if (!isDirectory) return;
  for (const child of readdirSync(host, { encoding: "latin1" }).sort()) {
    const below = Buffer.concat([host, Buffer.from(`/${child}`, "latin1")]);
    describe(below, at === "" ? child : `${at}/${child}`, lines);
  }
}

function detail(host: Buffer, { mode, size, rdev }: Stat): string {
  const type = mode & S_IFMT;
  if (type === S_IFDIR) return "";
  if (type === S_IFLNK) return `-> ${readlinkatBytes(undefined, host).toString("latin1")}`;
  if (type !== S_IFREG) return `${rdev.major}:${rdev.minor}`;
  return JSON.stringify(beginningOf(host)) + String(size);
}

function beginningOf(path: Buffer): string {
  const file = openSync(path, "r");
  const bytes = Buffer.alloc(64);
  const got = readSync(file, bytes);
  closeSync(file);
  return bytes.toString("latin1", 0, got);
}
