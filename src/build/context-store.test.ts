import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TarWriter } from "#tar";
import { outcome } from "../base/testing.ts";
import { ContextStore } from "./context-store.ts";
import { KeptDirectories } from "./kept-directories.ts";

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-contexts-"));
});

afterAll(() => rmSync(root, { recursive: true }));

const storeAt = (name: string) => new ContextStore(new KeptDirectories(join(root, name)));

interface Listed {
  readonly path: string;
  readonly mode: number;
  readonly size: number;
  readonly mtime: string;
  readonly link?: string;
}

const directory = (path: string): Listed => ({
  path,
  mode: 0o40755,
  size: 0,
  mtime: "1796000000000000005",
});
const file = (path: string, size: number, mtime = "1796000000000000001"): Listed => ({
  ...{ path, mode: 0o100644, size, mtime },
});
const link = (path: string, target: string): Listed => ({
  ...{ path, mode: 0o120777, size: 0, mtime: "7", link: target },
});

async function* lines(entries: readonly unknown[]): AsyncGenerator<Uint8Array> {
  const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
  // Cut where lines are not.
  for (let at = 0; at < text.length; at += 37) yield Buffer.from(text.slice(at, at + 37));
}

async function* archive(files: readonly Listed[], content = "x"): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const writer = new TarWriter((bytes) => chunks.push(bytes));
  for (const { path, mode, size, mtime } of files) {
    const header = { type: "file", uid: 9, gid: 9, linkName: "", mtime: BigInt(mtime) } as const;
    writer.entry(
      { ...header, name: path, mode: mode & 0o7777, size },
      Buffer.from(content.repeat(size)),
    );
  }
  writer.finish();
  yield* chunks;
}

test("only what has changed is wanted, and what is not listed goes", async () => {
  const store = storeAt("a");
  const first = [
    directory("d"),
    file("d/a", 3),
    file("e", 0),
    file("f", 2),
    link("l", "../../out"),
  ];
  const transfer = await store.begin("key", lines(first));
  expect([...transfer.wanted]).toEqual([1, 3]);
  expect(() => transfer.take()).toThrow("have not come yet");
  await transfer.fill(archive([file("d/a", 3), file("f", 2)]));
  const context = transfer.take();
  const at = (path: string) => join(context.directory, path);
  expect(readFileSync(at("d/a"), "utf8")).toBe("xxx");
  expect(lstatSync(at("d/a"), { bigint: true }).mtimeNs).toBe(1796000000000000001n);
  expect(lstatSync(at("d"), { bigint: true }).mtimeNs).toBe(1796000000000000005n);
  expect(readlinkSync(at("l"))).toBe("../../out");
  await context[Symbol.asyncDispose]();

  const second = [
    directory("d"),
    file("d/a", 3),
    file("f", 2, "2"),
    { ...file("e", 0), mode: 0o100755 },
  ];
  await using again = await storeAt("a").begin("key", lines(second));
  expect([...again.wanted]).toEqual([2]);
  expect(lstatSync(at("e")).mode & 0o777).toBe(0o755);
  expect(readdirSync(context.directory).toSorted()).toEqual(["d", "e", "f"]);
});

test("a list that is sent again finds the same content, and any other one another", async () => {
  const store = storeAt("same");
  const send = async (entries: readonly Listed[], content?: string) => {
    await using transfer = await store.begin("key", lines(entries));
    if (transfer.wanted.length > 0) await transfer.fill(archive(entries, content));
    await using context = transfer.take();
    return context.identity;
  };
  const first = await send([file("a", 1)]);
  expect(await send([file("a", 1)])).toBe(first);
  const changed = await send([file("a", 1, "2")]);
  const back = await send([file("a", 1)], "y");
  expect(new Set([first, changed, back]).size).toBe(3);
  expect(await send([file("a", 1)])).toBe(back);
});

test("files, directories and links take one another's places", async () => {
  const store = storeAt("b");
  const lists = [
    [directory("x"), link("x/y", "z")],
    [file("x", 0)],
    [link("x", "/nowhere")],
    [directory("x"), file("x/passwd", 0)],
    [],
  ];
  for (const list of lists) {
    await using transfer = await store.begin("key", lines(list));
    await using context = transfer.take();
    const found = readdirSync(context.directory, { recursive: true, encoding: "utf8" });
    expect(found.toSorted()).toEqual(list.map(({ path }) => path));
  }
});

test.each([
  [[file("../x", 1)], "not clean"],
  [[file("/x", 1)], "not clean"],
  [[file("a//b", 1)], "not clean"],
  [[file("a/b", 1)], "did not come before it"],
  [[file("a", 1), file("a", 1)], "it came before"],
  [[file("a", 1), file("a/b", 1)], "did not come before it"],
  [[{ ...file("a", 1), mode: 0o20666 }], "files, directories and symbolic links only"],
  [[link("a", "")], "no path"],
  [[{ ...file("a", 1), size: -1 }], "line 1 of the context's list is not an entry"],
  [["text"], "line 1 of the context's list is not an entry"],
] as const)("refuses the list %j", async (list, message) => {
  const store = storeAt("d");
  expect(await outcome(store.begin("key", lines(list)))).toThrow(message);
});

test("a client that sends something else than it listed is refused, and nothing leads out", async () => {
  const store = storeAt("e");
  writeFileSync(join(root, "outside"), "kept");
  symlinkSync(root, join(root, "way"));
  const list = [file("a", 3), link("way", root)];
  await using transfer = await store.begin("key", lines(list));
  const other = [file("way/outside", 5), file("b", 3)];
  expect(await outcome(transfer.fill(archive(other)))).toThrow("has not sent 1 of the files");
  expect(readFileSync(join(root, "outside"), "utf8")).toBe("kept");
  expect(await outcome(transfer.fill(archive([file("a", 2)])))).toThrow("that of line 1 first");
  await transfer.fill(archive([file("a", 3)], "y"));
  const context = transfer.take();
  expect(readFileSync(join(context.directory, "a"), "utf8")).toBe("yyy");
  expect(readdirSync(context.directory).toSorted()).toEqual(["a", "way"]);
  await context[Symbol.asyncDispose]();
});

test("a client that lies about a size, or leaves within a file, is told, and its files are wanted again", async () => {
  const store = storeAt("lies");
  const list = [file("a", 5), file("b", 5)];
  const cut = async function* (bytes: number) {
    let left = bytes;
    for await (const chunk of archive(list)) {
      yield chunk.subarray(0, left);
      left -= Math.min(left, chunk.length);
    }
  };
  for (const [sent, why] of [
    [archive([file("a", 4), file("b", 6)]), "has not sent 2 of the files that it listed"],
    [archive([file("a", 5), directory("b")]), "has not sent 1 of the files that it listed"],
    [archive([file("a", 5), file("c", 5)]), "has not sent 1 of the files that it listed"],
    [cut(512 + 512 + 512 + 3), "the archive is cut off in the middle"],
  ] as const) {
    await using transfer = await store.begin("key", lines(list));
    expect(await outcome(transfer.fill(sent))).toThrow(why);
    expect(() => transfer.take()).toThrow("have not come yet");
  }
  await using transfer = await store.begin("key", lines(list));
  expect(transfer.wanted).toContain(1);
  await transfer.fill(archive(list));
  await using context = transfer.take();
  expect(readdirSync(context.directory).toSorted()).toEqual(["a", "b"]);
  expect(readFileSync(join(context.directory, "b"), "utf8")).toBe("xxxxx");
});

test("a list of 20,000 files leaves the loop to others while it is compared", async () => {
  const store = storeAt("many");
  const list = Array.from({ length: 200 }, (_, at) => [
    directory(`d${at}`),
    ...Array.from({ length: 100 }, (_, number) => file(`d${at}/f${number}`, 1)),
  ]).flat();
  async function* pieces() {
    for (let at = 0; at < list.length; at += 500) {
      yield Buffer.from(
        list
          .slice(at, at + 500)
          .map((each) => `${JSON.stringify(each)}\n`)
          .join(""),
      );
    }
  }
  let turns = 0;
  let isOver = false;
  const turn = () => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await using transfer = await store.begin("key", pieces());
  isOver = true;
  expect(transfer.wanted).toHaveLength(20_000);
  // The worker has made 200 directories meanwhile.
  expect(turns).toBeGreaterThan(200);
});
