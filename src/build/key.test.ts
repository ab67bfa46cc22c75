import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parsePlatform } from "#image";
import { outcome } from "../base/testing.ts";
import { copyStep } from "./copy-step.ts";
import { KeyMaker, type KeyScope } from "./key.ts";
import type { Operation } from "./operation.ts";
import { planBuild } from "./plan.ts";

const platform = parsePlatform("linux/amd64");
let root: string;
let context: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-key-"));
  context = join(root, "context");
  mkdirSync(context);
  for (const name of ["a", "b", "note.txt", "left.out"]) writeFileSync(join(context, name), name);
});

afterAll(() => rmSync(root, { recursive: true }));

function planned(text: string, buildArgs: Record<string, string> = {}): Operation {
  const { result } = planBuild(text, {
    buildArgs: new Map(Object.entries(buildArgs)),
    ...{ buildPlatform: platform, targetPlatform: platform },
    contexts: new Map(),
    configOf: () => undefined,
    labels: new Map(),
    network: "default",
    hosts: [],
    ignoresCache: false,
  });
  if (result === "scratch") throw new Error("the plan has no operation");
  return result;
}

const scope = (options: Partial<KeyScope> = {}): KeyScope => ({
  chainOf: async (base) => (base === "scratch" ? "" : base.kind),
  filesOf: async (source) => ({
    directory: context,
    ignore: ["*.out"],
    isClients: source.kind === "context",
  }),
  contentOf: async () => "remote",
  isListed: false,
  signal: new AbortController().signal,
  ...options,
});

const keyOf = async (text: string, args?: Record<string, string>, options?: Partial<KeyScope>) =>
  (await new KeyMaker().keyOf(planned(text, args), scope(options))).key;

describe("the key of a step", () => {
  test.each([
    ["the name of its stage", "FROM b AS x\nRUN a", "FROM b AS y\nRUN a"],
    ["lines and comments", "FROM b\nRUN a", "FROM b\n# c\n\nRUN a"],
    ["labels before it", "FROM b\nRUN a", "FROM b\nLABEL x=1\nRUN a"],
    ["files that it does not read", "FROM b\nCOPY a /a", "FROM b\nCOPY a /a"],
  ])("does not come from %s", async (what, one, other) => {
    const first = await keyOf(one);
    if (what.startsWith("files")) writeFileSync(join(context, "b"), "changed");
    expect(await keyOf(other)).toBe(first);
  });

  test.each([
    ["its command", "FROM b\nRUN a", "FROM b\nRUN b"],
    ["variables", "FROM b\nENV A=1\nRUN a", "FROM b\nENV A=2\nRUN a"],
    ["its user", "FROM b\nRUN a", "FROM b\nUSER x\nRUN a"],
    ["its mounts", "FROM b\nRUN a", "FROM b\nRUN --mount=type=cache,target=/c a"],
    ["the destination", "FROM b\nCOPY a /a", "FROM b\nCOPY a /b"],
    ["the sources", "FROM b\nCOPY a /a", "FROM b\nCOPY b /a"],
    ["the name of a file", "FROM b\nADD https://h/a /x/", "FROM b\nADD https://h/b /x/"],
    ["a part of a repository", "FROM b\nADD git://h/r#:a /x/", "FROM b\nADD git://h/r#:b /x/"],
    ["what is below", "FROM b\nCOPY a /a", "FROM b\nRUN x\nCOPY a /a"],
  ])("comes from %s", async (_, one, other) => {
    expect(await keyOf(one)).not.toBe(await keyOf(other));
  });

  test("comes from an argument only where it is declared, and from no proxy", async () => {
    const text = "FROM b\nARG V\nRUN a";
    expect(await keyOf(text, { V: "1" })).not.toBe(await keyOf(text, { V: "2" }));
    expect(await keyOf("FROM b\nRUN a", { V: "1" })).toBe(await keyOf("FROM b\nRUN a"));
    expect(await keyOf("FROM b\nRUN a", { http_proxy: "p" })).toBe(await keyOf("FROM b\nRUN a"));
  });

  test("of COPY --link does not come from what is below", async () => {
    const one = await keyOf("FROM b\nCOPY --link a /a");
    expect(await keyOf("FROM b\nRUN x\nCOPY --link a /a")).toBe(one);
  });

  test("comes from the content of files that it copies or mounts, and not from their times", async () => {
    for (const text of ["FROM b\nCOPY a* /x/", "FROM b\nRUN --mount=source=a,target=/m x"]) {
      writeFileSync(join(context, "a"), "a");
      const first = await keyOf(text);
      utimesSync(join(context, "a"), 5, 5);
      expect(await keyOf(text)).toBe(first);
      writeFileSync(join(context, "a"), "A");
      expect(await keyOf(text)).not.toBe(first);
    }
  });

  test("lists the files when asked, by their paths", async () => {
    const { files } = await new KeyMaker().keyOf(
      planned("FROM b\nCOPY . /x/"),
      scope({ isListed: true }),
    );
    const paths = Buffer.from(files).toString().trimEnd().split("\n");
    expect(paths.map((line) => line.split("\0")[0])).toEqual(["a", "b", "note.txt"]);
  });
});

test("a missing source names the line, what leaves it out, and a near name", async () => {
  const missing = await outcome(keyOf("FROM b\n\nCOPY nope.txt /"));
  expect(missing).toThrow(
    'failed to compute cache key: failed to calculate checksum of ref context: "/nope.txt": not found; did you mean "/note.txt"?',
  );
  const excluded = await outcome(keyOf("FROM b\nCOPY left.out /"));
  expect(excluded).toThrow('"/left.out": not found; "*.out" in .dockerignore excludes it');
  expect(() => {
    try {
      missing();
    } catch (error) {
      throw new Error(JSON.stringify((error as { ranges?: unknown }).ranges));
    }
  }).toThrow('[{"start":3,"end":3}]');
});

test("COPY and ADD bring files, documents and what came from elsewhere", async () => {
  const target = join(root, "target");
  mkdirSync(target);
  const operation = planned("FROM scratch\nADD a https://h/remote <<D /to/\ntext\nD");
  if (operation.kind !== "copy") throw new Error("ADD is a copy");
  const { filesOf, signal } = scope();
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const remoteFilesOf = async () => ({ directory: context, path: "/b" });
  const onProgress = () => undefined;
  await copyStep(operation, { root: target, owner, filesOf, remoteFilesOf, onProgress, signal });
  expect(readFileSync(join(target, "to/a"), "utf8")).toBe("A");
  expect(readFileSync(join(target, "to/b"), "utf8")).toBe("changed");
  expect(readFileSync(join(target, "to/D"), "utf8")).toBe("text\n");
});
