/** For tests: whole archives in memory. */
import { type TarHeader, type TarLimits, TarReader, TarWriter } from "./index.ts";

export interface Member {
  readonly header: TarHeader;
  readonly content: Buffer;
}

export const plain: TarHeader = {
  name: "a",
  type: "file",
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0n,
  linkName: "",
};

export function write(members: readonly Member[]): Buffer {
  const out: Buffer[] = [];
  const writer = new TarWriter((bytes) => out.push(Buffer.from(bytes)));
  for (const { header, content } of members) writer.entry(header, content);
  writer.finish();
  return Buffer.concat(out);
}

export function file(name: string, content: string, more: Partial<TarHeader> = {}): Member {
  const bytes = Buffer.from(content);
  return { header: { ...plain, name, size: bytes.length, ...more }, content: bytes };
}

/** Pushes in chunks of the given sizes, in turns, overwriting each chunk afterwards. */
export function read(
  archive: Buffer,
  sizes: readonly number[] = [archive.length],
  limits: Partial<TarLimits> = {},
): Member[] {
  const members: { header: TarHeader; content: Buffer }[] = [];
  const reader = new TarReader(
    {
      entry: (header) =>
        members.push({ header, content: Buffer.alloc(Math.min(header.size, 1 << 24)) }),
      data: (bytes, offset) => bytes.copy(members.at(-1)?.content ?? Buffer.alloc(0), offset),
      end: () => undefined,
    },
    limits,
  );
  let turn = 0;
  for (let at = 0; at < archive.length; ) {
    const chunk = Buffer.from(
      archive.subarray(at, at + Math.max(1, sizes[turn++ % sizes.length] ?? 1)),
    );
    reader.push(chunk);
    at += chunk.length;
    chunk.fill(0xff);
  }
  reader.finish();
  return members;
}
