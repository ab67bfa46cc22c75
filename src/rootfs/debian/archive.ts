import { type FileHandle, open } from "node:fs/promises";
import { Fault } from "#base";

export type Compression = "none" | "gzip" | "xz" | "zstd";

/** Where in a .deb the tar of its files stands, and how it is compressed. */
export interface DataMember {
  readonly offset: number;
  readonly size: number;
  readonly compression: Compression;
}

const compressions: Readonly<Record<string, Compression>> = {
  "": "none",
  ".gz": "gzip",
  ".xz": "xz",
  ".zst": "zstd",
};

/**
 * Finds the data member of a Debian package (deb(5)): an ar archive of exactly
 * "debian-binary" (2.x), "control.tar*" and "data.tar*", others begin with "_".
 */
export async function findData(path: string): Promise<DataMember> {
  await using file = await open(path, "r");
  const { size: total } = await file.stat();
  if ((await readText(file, 0, 8)) !== "!<arch>\n")
    throw malformed(path, "it is not an ar archive");
  let offset = 8;
  for (let count = 0; count < 16 && offset < total; count++) {
    const header = await readText(file, offset, 60);
    const match = /^(.{16})[ \d]{12}[ \d]{6}[ \d]{6}[ \d]{8}(\d{1,10}) *`\n$/s.exec(header);
    const name = match?.[1]?.trimEnd().replace(/\/$/, "");
    const size = Number(match?.[2]);
    const start = offset + 60;
    if (name === undefined || start + size > total)
      throw malformed(path, `member ${count + 1} is cut short or has no sound header`);
    if (
      count === 0 &&
      (name !== "debian-binary" || !(await readText(file, start, 2)).startsWith("2."))
    )
      throw malformed(path, "it does not begin with debian-binary 2.x");
    if (name.startsWith("data.tar")) {
      const compression = compressions[name.slice("data.tar".length)];
      if (compression === undefined)
        throw malformed(path, `${name} is compressed in a way not known here`);
      return { offset: start, size, compression };
    }
    offset = start + size + (size % 2);
  }
  throw malformed(path, "it has no data.tar");
}

async function readText(file: FileHandle, position: number, length: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.toString("latin1", 0, bytesRead);
}

function malformed(path: string, why: string): Fault {
  return new Fault("invalid", `${path} is not a Debian package: ${why}`, { about: path });
}
