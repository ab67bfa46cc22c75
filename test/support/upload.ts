import { tarOf } from "./tree.ts";

/** Files of a context that is sent in pieces; larger than what is buffered on the way. */
const files = ["first", "second", "third"].map((name) => ({
  ...{ name, content: name[0]?.repeat(3 << 20) ?? "", mtime: 1_796_000_000_000_000_001n },
}));

/** By which the engine knows the directory. */
export const uploadKey = "upload";

/** The list of the files, as a client sends it. */
export async function* uploadLines(): AsyncGenerator<Uint8Array> {
  for (const { name, content, mtime } of files) {
    const entry = { path: name, mode: 0o100644, size: content.length, mtime: String(mtime) };
    yield Buffer.from(`${JSON.stringify(entry)}\n`);
  }
}

/** The archive of some of the files. */
export async function* uploadOf(lines: Iterable<number>): AsyncGenerator<Uint8Array> {
  yield tarOf([...lines].flatMap((line) => files[line] ?? []));
}

/** The archive of all files up to the middle of the second; then nothing comes any more. */
export async function* brokenUpload(onHalf: () => void): AsyncGenerator<Uint8Array> {
  const whole = tarOf(files);
  const piece = 64 << 10;
  for (let at = 0; at < whole.length / 2; at += piece) yield whole.subarray(at, at + piece);
  onHalf();
  await new Promise(() => undefined);
}
