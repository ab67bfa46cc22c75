import { afterEach, describe, expect, test } from "bun:test";
import { Fault, type FaultCode } from "#base";
import type { ObjectStore } from "./object-store.ts";

/** One storage medium under test, that lists at most 10 names at once; `reopen` gives a second store over the same objects, as after a crash. */
export interface StoreUnderTest extends AsyncDisposable {
  readonly store: ObjectStore;
  reopen(): Promise<ObjectStore>;
}

async function faultCode(work: Promise<unknown>): Promise<FaultCode | "none"> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "none";
}

const bytes = (text: string) => Buffer.from(text);

async function text(source: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

async function all<T>(source: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of source) found.push(each);
  return found;
}

/** The promises that every ObjectStore keeps. */
export function objectStoreContract(name: string, open: () => Promise<StoreUnderTest>): void {
  const opened: StoreUnderTest[] = [];
  afterEach(async () => {
    for (const each of opened.splice(0)) await each[Symbol.asyncDispose]();
  });
  async function make(): Promise<StoreUnderTest> {
    const under = await open();
    opened.push(under);
    return under;
  }

  describe(name, () => {
    test("an object is read as it was written, whole and in parts", async () => {
      const { store, reopen } = await make();
      const before = Date.now();
      await store.write("a/b/link", bytes("0123456789"));
      for (const each of [store, await reopen()]) {
        expect((await each.get("a/b/link", 10))?.toString()).toBe("0123456789");
        expect(await text(each.read("a/b/link"))).toBe("0123456789");
        expect(await text(each.read("a/b/link", { start: 3, end: 5 }))).toBe("34");
        expect(await text(each.read("a/b/link", { start: 8 }))).toBe("89");
        expect(await text(each.read("a/b/link", { start: 8, end: 99 }))).toBe("89");
        expect(await text(each.read("a/b/link", { start: 10 }))).toBe("");
        const stat = await each.stat("a/b/link");
        expect(stat?.size).toBe(10);
        // Clocks of stores count in whole seconds at worst, and are not ours.
        expect(Math.abs((stat?.modified ?? 0) - before)).toBeLessThan(60_000);
      }
      expect(await faultCode(store.get("a/b/link", 9))).toBe("exhausted");
    });

    test("a missing object is undefined, or not found where bytes are wanted", async () => {
      const { store } = await make();
      await store.write("a/b/link", bytes("x"));
      for (const key of ["none", "a", "a/b", "a/b/lin", "a/b/link/x"]) {
        expect(await store.stat(key)).toBeUndefined();
        expect(await store.get(key, 10)).toBeUndefined();
        expect(await faultCode(text(store.read(key)))).toBe("not_found");
        expect(await faultCode(store.move(key, "elsewhere"))).toBe("not_found");
      }
      expect(await store.stat("elsewhere")).toBeUndefined();
      await store.delete("none");
      await store.delete("a/none");
    });

    test("malformed keys touch nothing", async () => {
      const { store } = await make();
      const long = `${"x/".repeat(600)}x`;
      const bad = ["", "/a", "a/", "a//b", ".", "..", "a/..", "a/../b", "./a", "a\0b", "a\\b"];
      for (const key of [...bad, "ä", "a b", "a%2fb", "x".repeat(256), long]) {
        expect(await faultCode(store.write(key, bytes("x")))).toBe("invalid");
        expect(await faultCode(store.stat(key))).toBe("invalid");
        expect(await faultCode(store.get(key, 1))).toBe("invalid");
        expect(await faultCode(text(store.read(key)))).toBe("invalid");
        expect(await faultCode(store.delete(key))).toBe("invalid");
        expect(await faultCode(store.move(key, "a"))).toBe("invalid");
        expect(await faultCode(store.writer(key))).toBe("invalid");
        if (key !== "") expect(await faultCode(all(store.list(key)))).toBe("invalid");
        if (key !== "") expect(await faultCode(all(store.walk(key)))).toBe("invalid");
      }
      expect(await all(store.list(""))).toEqual([]);
    });

    test("writing again replaces, a reader under way sees no mixture", async () => {
      const { store } = await make();
      const old = Buffer.alloc(3 << 20, 1);
      await store.write("k", old);
      const seen: Uint8Array[] = [];
      let fault: unknown;
      try {
        for await (const chunk of store.read("k")) {
          if (seen.length === 0) await store.write("k", Buffer.alloc(3 << 20, 2));
          seen.push(Buffer.from(chunk));
        }
      } catch (error) {
        fault = error;
      }
      const whole = Buffer.concat(seen);
      expect(whole.equals(Buffer.alloc(whole.length, 1))).toBe(true);
      if (fault === undefined) expect(whole.length).toBe(old.length);
      expect((await store.get("k", 4 << 20))?.[0]).toBe(2);
    });

    test("lists are sorted by bytes, one level deep, and go on after a name", async () => {
      const { store, reopen } = await make();
      const keys = ["r/a/x", "r/a-b/x", "r/a.b/y/z", "r/B/x", "r/b", "r/a0/x", "s/x"];
      for (const key of keys) await store.write(key, bytes(key));
      for (const each of [store, await reopen()]) {
        const names = (await all(each.list("r"))).map(({ name, kind }) => `${name} ${kind}`);
        const directories = ["B", "a", "a-b", "a.b", "a0"].map((each) => `${each} directory`);
        expect(names).toEqual([...directories, "b object"]);
        const rest = async (after: string) =>
          (await all(each.list("r", { after }))).map((entry) => entry.name);
        expect(await rest("a")).toEqual(["a-b", "a.b", "a0", "b"]);
        expect(await rest("a-")).toEqual(["a-b", "a.b", "a0", "b"]);
        expect(await rest("b")).toEqual([]);
        expect((await all(each.list(""))).map((entry) => entry.name)).toEqual(["r", "s"]);
        expect(await all(each.list("none/x"))).toEqual([]);
        const walked = (await all(each.walk("r"))).map(({ key, size }) => `${key} ${size}`);
        expect(walked.sort()).toEqual(
          keys
            .slice(0, 6)
            .map((key) => `${key} ${key.length}`)
            .sort(),
        );
        expect((await all(each.walk("r/a"))).map((entry) => entry.key)).toEqual(["r/a/x"]);
        expect(await all(each.walk("none"))).toEqual([]);
      }
    });

    test("a list longer than any page is whole, also while it is being emptied", async () => {
      const { store } = await make();
      const count = 35;
      const name = (index: number) => `n${String(index).padStart(5, "0")}`;
      await Promise.all(
        Array.from({ length: count }, (_, index) => store.write(`l/${name(index)}`, bytes("x"))),
      );
      expect((await all(store.list("l"))).length).toBe(count);
      expect((await all(store.walk("l"))).length).toBe(count);
      const seen: string[] = [];
      for await (const entry of store.list("l")) {
        seen.push(entry.name);
        await store.delete(`l/${entry.name}`);
      }
      expect(seen.length).toBe(count);
      expect(await all(store.list(""))).toEqual([]);
    });

    test("directories go with the last object below them", async () => {
      const { store } = await make();
      await store.write("a/b/c/d", bytes("x"));
      await store.write("a/e", bytes("x"));
      await store.delete("a/b/c/d");
      expect((await all(store.list("a"))).map((entry) => entry.name)).toEqual(["e"]);
      await store.delete("a/b");
      await store.delete("a");
      expect((await all(store.list("a"))).map((entry) => entry.name)).toEqual(["e"]);
      await store.move("a/e", "z/e");
      expect((await all(store.list(""))).map((entry) => entry.name)).toEqual(["z"]);
      await Promise.all(
        Array.from({ length: 70 }, async (_, index) => {
          const key = `p/q/${index % 7}/${index}`;
          await store.write(key, bytes("x"));
          await store.delete(key);
        }),
      );
      expect((await all(store.list(""))).map((entry) => entry.name)).toEqual(["z"]);
    });

    test("a moved object has its new name only, and replaces", async () => {
      const { store } = await make();
      await store.write("from", bytes("new"));
      await store.write("to/x", bytes("old"));
      await store.move("from", "to/x");
      expect(await store.stat("from")).toBeUndefined();
      expect((await store.get("to/x", 9))?.toString()).toBe("new");
    });

    test("a writer's object is there after commit", async () => {
      const { store, reopen } = await make();
      const writer = await store.writer("u/1/data");
      expect(writer.size).toBe(0);
      const buffer = bytes("hello ");
      await writer.write(buffer);
      buffer.fill(0);
      await writer.write(bytes("world"));
      expect(writer.size).toBe(11);
      await writer.commit();
      await store.move("u/1/data", "blob");
      for (const each of [store, await reopen()]) {
        expect((await each.get("blob", 99))?.toString()).toBe("hello world");
        expect((await all(each.walk(""))).map((entry) => entry.key)).toEqual(["blob"]);
      }
    });

    test("a closed writer is gone on with, also by another store", async () => {
      const { store, reopen } = await make();
      const chunk = Buffer.alloc(300_000, 7);
      const first = await store.writer("u/2/data");
      await first.write(chunk);
      await first.close();
      const second = await store.writer("u/2/data");
      expect(second.size).toBe(chunk.length);
      await second.write(bytes("x"));
      await second.close();
      const again = await reopen();
      const third = await again.writer("u/2/data");
      expect(third.size).toBe(chunk.length + 1);
      await third.write(chunk);
      await third.commit();
      expect((await again.stat("u/2/data"))?.size).toBe(2 * chunk.length + 1);
      const whole = await again.get("u/2/data", 1 << 20);
      expect(whole?.[chunk.length]).toBe("x".charCodeAt(0));
      expect(whole?.[chunk.length + 1]).toBe(7);
    });

    test("a writer that took nothing commits an empty object", async () => {
      const { store } = await make();
      await (await store.writer("empty")).commit();
      expect((await store.stat("empty"))?.size).toBe(0);
      expect(await text(store.read("empty"))).toBe("");
    });

    test("an object that was cancelled or deleted unfinished begins anew", async () => {
      const { store } = await make();
      const first = await store.writer("u/3/data");
      await first.write(bytes("abc"));
      await first.cancel();
      const second = await store.writer("u/3/data");
      expect(second.size).toBe(0);
      await second.write(bytes("def"));
      await second.close();
      await store.delete("u/3/data");
      const third = await store.writer("u/3/data");
      expect(third.size).toBe(0);
      await third.cancel();
      expect(await all(store.walk(""))).toEqual([]);
    });

    test("large pieces go through in bounded chunks", async () => {
      const { store } = await make();
      const writer = await store.writer("big");
      const piece = Buffer.alloc(2 << 20);
      for (let index = 0; index < 6; index++) {
        piece.fill(index);
        await writer.write(piece);
      }
      await writer.commit();
      let at = 0;
      for await (const chunk of store.read("big", { start: 1 << 20 })) {
        expect(chunk.byteLength).toBeLessThanOrEqual(1 << 20);
        expect(chunk[0]).toBe(Math.floor(((1 << 20) + at) / piece.length));
        at += chunk.byteLength;
      }
      expect(at).toBe(11 << 20);
    });

    test("a file path, where there is one, holds the bytes", async () => {
      const { store } = await make();
      if (!store.filePath) return;
      await store.write("f/data", bytes("in a file"));
      expect(await Bun.file(store.filePath("f/data")).text()).toBe("in a file");
    });
  });
}
