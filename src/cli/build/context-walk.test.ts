import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { IgnoreMatcher, parseIgnoreFile } from "#dockerfile";
import { walkContext } from "./context-walk.ts";

const top = mkdtempSync("/tmp/thimble-context-");
afterAll(() => rmSync(top, { recursive: true }));

let root = "";
let count = 0;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(root);
});

function put(...paths: readonly string[]) {
  for (const path of paths) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    writeFileSync(join(root, path), path);
  }
}

function walked(ignored = "") {
  const matcher = ignored === "" ? undefined : new IgnoreMatcher(parseIgnoreFile(ignored));
  return walkContext(root, matcher).entries.map(({ path }) => path);
}

test("lists files, directories and links with what tells them from others", () => {
  put("a/b");
  symlinkSync("../x", join(root, "link"));
  const { entries } = walkContext(root, undefined);
  expect(entries).toMatchObject([
    { path: "a", size: 0, mode: 0o040755 },
    { path: "a/b", size: 3, mode: 0o100644 },
    { path: "link", size: 0, mode: 0o120777, link: "../x" },
  ]);
  expect(entries[1]?.mtime).toMatch(/^\d{19}$/);
});

describe("what .dockerignore names is left out", () => {
  test("with all that is in it", () => {
    put("a/b", "c/a", "c/d");
    expect(walked("a\n*/d\n")).toEqual(["c", "c/a"]);
  });

  test("but for what an exception keeps, with its directories", () => {
    put("a/b/c", "a/b/d", "a/e/f", "g");
    expect(walked("a\n!a/b/c\n")).toEqual(["a", "a/b", "a/b/c", "g"]);
    expect(walked("*\n!a/*/f\n")).toEqual(["a", "a/e", "a/e/f"]);
    expect(walked("*\n!nothing/here\n")).toEqual([]);
  });

  test("also where it could not be sent", () => {
    Bun.spawnSync(["mkfifo", join(root, "pipe")]);
    expect(walked("pipe\n")).toEqual([]);
  });
});

test("a socket is left out and told", async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(root, "s"), resolve));
  const { entries, sockets } = walkContext(root, undefined);
  server.close();
  expect({ entries, sockets }).toEqual({ entries: [], sockets: ["s"] });
});

test("a pipe is refused by name, with the remedy", () => {
  Bun.spawnSync(["mkfifo", join(root, "pipe")]);
  expect(() => walked()).toThrow(
    "pipe is a named pipe, which a build cannot take in; if the build does without it, write pipe into .dockerignore",
  );
});

test("a name that is not UTF-8 is refused", () => {
  writeFileSync(Buffer.concat([Buffer.from(`${root}/a`), Buffer.from([0xff])]), "");
  expect(() => walked()).toThrow("is not UTF-8");
});
