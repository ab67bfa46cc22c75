import { createReadStream, statSync } from "node:fs";
import { basename } from "node:path";
import { TarWriter, textToName } from "#tar";
import { reasonOf } from "./local-file.ts";

interface Member {
  readonly source: string;
  /** Without a leading slash. */
  readonly target: string;
  readonly size: number;
  readonly mode: number;
}

/**
 * Files of this machine as a tar, as they shall stand in an image: "FILE" lies at
 * /NAME, "FILE:/PATH" where it says. Owned by root, dated at the epoch, so that the
 * same files make the same image.
 */
export function tarFiles(words: readonly string[]): AsyncIterable<Uint8Array> {
  return archive(words.map(memberOf));
}

async function* archive(members: readonly Member[]): AsyncGenerator<Uint8Array> {
  let pending: Uint8Array[] = [];
  const writer = new TarWriter((bytes) => pending.push(bytes));
  function* flush() {
    yield* pending;
    pending = [];
  }
  const common = { uid: 0, gid: 0, mtime: 0n, linkName: "" };
  const made = new Set<string>();
  for (const member of members) {
    for (const name of parents(member.target)) {
      if (made.has(name)) continue;
      made.add(name);
      writer.entry({
        ...common,
        name: textToName(`${name}/`),
        type: "directory",
        mode: 0o755,
        size: 0,
      });
    }
    const { size, mode } = member;
    writer.entry({ ...common, name: textToName(member.target), type: "file", mode, size });
    yield* flush();
    // A file that grows meanwhile is cut at the size that was announced; one that shrinks fails in the writer.
    if (size > 0) {
      for await (const bytes of createReadStream(member.source, { end: size - 1 })) {
        writer.data(bytes as Uint8Array);
        yield* flush();
      }
    }
  }
  writer.finish();
  yield* flush();
}

function memberOf(word: string): Member {
  const colon = word.lastIndexOf(":");
  const source = colon > 0 ? word.slice(0, colon) : word;
  const target = colon > 0 ? word.slice(colon + 1) : `/${basename(word)}`;
  const parts = target.split("/").filter((part) => part !== "");
  if (
    !target.startsWith("/") ||
    parts.length === 0 ||
    parts.includes("..") ||
    parts.includes(".")
  ) {
    throw new Error(`"${word}": the path in the image must be absolute and name a file`);
  }
  try {
    const stat = statSync(source);
    if (!stat.isFile()) throw new Error(`${source} is not a regular file`);
    return { source, target: parts.join("/"), size: stat.size, mode: stat.mode & 0o7777 };
  } catch (cause) {
    throw new Error(`cannot put ${source} into an image: ${reasonOf(cause)}`, { cause });
  }
}

function parents(target: string): string[] {
  const parts = target.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
