import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome, random, rounds } from "../base/testing.ts";
import { parseModeChange } from "./file-mode.ts";
import { copyFiles, digestFiles } from "./index.ts";
import { compileWildcard } from "./wildcard.ts";

let root: string;
let source: string;
const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-selection-"));
  source = join(root, "source");
  mkdirSync(join(source, "d/sub"), { recursive: true });
  mkdirSync(join(source, "e"));
  for (const path of ["a.txt", "b.txt", "d/x", "d/sub/y.txt", "d/sub/z"]) {
    writeFileSync(join(source, path), path);
  }
  linkSync(join(source, "a.txt"), join(source, "hard"));
  symlinkSync("d", join(source, "dl"));
  symlinkSync("/a.txt", join(source, "al"));
  symlinkSync("../../../../etc/passwd", join(source, "out"));
  symlinkSync("loop", join(source, "loop"));
  writeFileSync(join(root, "secret"), "outside");
});

afterAll(() => rmSync(root, { recursive: true }));

interface Asked {
  readonly path: string;
  readonly destination?: string;
  readonly parents?: string;
  readonly exclude?: readonly string[];
  readonly ignore?: readonly string[];
  readonly mode?: string;
}

const selection = ({ path, parents, exclude = [], ignore = [] }: Asked) => ({
  ...{ directory: source, path, parents, exclude, ignore },
});

let made = 0;

/** Copies into an empty tree, and gives the paths there. */
async function copied(asked: Asked, before: (target: string) => void = () => undefined) {
  const target = join(root, `target-${made++}`);
  mkdirSync(target);
  before(target);
  await copyFiles({
    root: target,
    rules: { destination: asked.destination ?? "/o/", owner, mode: asked.mode },
    parts: [{ kind: "files", selection: selection(asked), unpacks: false }],
  });
  const paths = readdirSync(target, { recursive: true, encoding: "utf8" }).toSorted();
  return { target, paths };
}

async function digest(asked: Asked, memo?: string): Promise<string> {
  const given = { selections: [selection(asked)], memo };
  return (await digestFiles(given)).digest;
}

describe("a copy of files", () => {
  test.each<[Asked, string]>([
    [{ path: "/d" }, "o o/sub o/sub/y.txt o/sub/z o/x"],
    [{ path: "/dl", destination: "/p" }, "p p/sub p/sub/y.txt p/sub/z p/x"],
    [{ path: "/al" }, "o o/al"],
    [{ path: "/a.txt", destination: "/o/p" }, "o o/p"],
    [{ path: "/*.txt" }, "o o/a.txt o/b.txt"],
    [{ path: "/d/s?b/[y-z]*" }, "o o/y.txt o/z"],
    [{ path: "/dl/*" }, "o o/x o/y.txt o/z"],
    [{ path: "/none*" }, ""],
    [{ path: "/d", exclude: ["sub", "!sub/z"] }, "o o/sub o/sub/z o/x"],
    [{ path: "/d", ignore: ["d/sub", "!d/sub/z"] }, "o o/sub o/sub/z o/x"],
    [{ path: "/*", ignore: ["*", "!d/x"] }, "o o/x"],
    [{ path: "/", parents: "d/sub/z" }, "o o/d o/d/sub o/d/sub/z"],
    [{ path: "/d", parents: "sub" }, "o o/sub o/sub/y.txt o/sub/z"],
    [{ path: "/", parents: "**/*.txt" }, "o o/a.txt o/b.txt o/d o/d/sub o/d/sub/y.txt"],
  ])("of %j", async (asked, paths) => {
    expect((await copied(asked)).paths.join(" ")).toBe(paths);
  });

  test.each([
    [{ path: "/nope" }, '"/nope": not found'],
    [{ path: "/out" }, '"/etc/passwd": not found'],
    [{ path: "/../secret" }, '"/secret": not found'],
    [{ path: "/nope/*" }, "lstat /nope: no such file or directory"],
    [{ path: "/b.txt", ignore: ["b*"] }, '"/b.txt": not found'],
    [{ path: "/loop" }, "too many symbolic links"],
  ])("refuses %j", async (asked, message) => {
    expect(await outcome(copied(asked))).toThrow(message);
    expect(await outcome(digest(asked))).toThrow(message);
  });

  test("follows links of the destination within the tree alone", async () => {
    const { target, paths } = await copied({ path: "/a.txt", destination: "/link/p/q" }, (into) => {
      symlinkSync("../../../..//real", join(into, "link"));
    });
    expect(paths).toEqual(["link", "real", "real/p", "real/p/q"]);
    expect(readFileSync(join(target, "real/p/q"), "utf8")).toBe("a.txt");
  });

  test("replaces files and merges directories, but not one by the other", async () => {
    const into = (target: string) => {
      mkdirSync(join(target, "o/sub"), { recursive: true });
      writeFileSync(join(target, "o/x"), "old");
      writeFileSync(join(target, "o/sub/own"), "kept");
    };
    const { target, paths } = await copied({ path: "/d" }, into);
    expect(paths).toEqual(["o", "o/sub", "o/sub/own", "o/sub/y.txt", "o/sub/z", "o/x"]);
    expect(readFileSync(join(target, "o/x"), "utf8")).toBe("d/x");
    const file = (target: string) => {
      mkdirSync(join(target, "o"));
      writeFileSync(join(target, "o/sub"), "a file");
    };
    const blocked = await outcome(copied({ path: "/d" }, file));
    expect(blocked).toThrow("cannot copy to non-directory: /o/sub");
    const tree = (target: string) => mkdirSync(join(target, "o/x"), { recursive: true });
    const replaced = await outcome(copied({ path: "/d" }, tree));
    expect(replaced).toThrow("cannot replace to directory /o/x with file");
  });

  test("keeps modes, times and names of one file, and changes modes when asked", async () => {
    chmodSync(join(source, "b.txt"), 0o640);
    utimesSync(join(source, "b.txt"), 1e9, 1e9);
    const { target } = await copied({ path: "/", ignore: ["loop", "out"] });
    const stat = statSync(join(target, "o/b.txt"));
    expect([stat.mode & 0o777, stat.mtimeMs]).toEqual([0o640, 1e12]);
    const ino = (name: string) => statSync(join(target, "o", name)).ino;
    expect(ino("a.txt")).toBe(ino("hard"));
    const changed = await copied({ path: "/d", mode: "0701" });
    const mode = (path: string) => statSync(join(changed.target, path)).mode & 0o7777;
    expect(["o", "o/sub", "o/x"].map(mode)).toEqual([0o701, 0o701, 0o701]);
  });
});

test.each([
  ["u=rwX,go=rX", 0o600, false, 0o644],
  ["u=rwX,go=rX", 0o700, true, 0o755],
  ["+x", 0o644, false, 0o755],
  ["a-x,u+X", 0o750, false, 0o740],
  ["u+s,+t", 0o644, false, 0o5644],
  ["g=u,o-rwx", 0o674, false, 0o660],
  ["4755", 0o644, false, 0o4755],
] as const)("the mode %s of %o", (text, mode, isDirectory, wanted) => {
  expect(parseModeChange(text)(mode, isDirectory)).toBe(wanted);
});

describe("a digest of files", () => {
  test("counts names, content and modes, and no times", async () => {
    const path = join(source, "d/x");
    const first = await digest({ path: "/d" });
    utimesSync(path, 5, 5);
    expect(await digest({ path: "/d" })).toBe(first);
    for (const mode of [0o600, 0o755, 0o4644]) {
      chmodSync(path, mode);
      expect(await digest({ path: "/d" })).not.toBe(first);
    }
    chmodSync(path, 0o644);
    writeFileSync(path, "changed");
    expect(await digest({ path: "/d" })).not.toBe(first);
    writeFileSync(path, "d/x");
    expect(await digest({ path: "/d" })).toBe(first);
    expect(await digest({ path: "/d", exclude: ["x"] })).not.toBe(first);
  });

  test("is the same with a memo, whatever the memo holds", async () => {
    const memo = join(root, "memo");
    const plain = await digest({ path: "/d" });
    expect(await digest({ path: "/d" }, memo)).toBe(plain);
    expect(JSON.parse(readFileSync(memo, "utf8"))).toHaveLength(3);
    expect(await digest({ path: "/d" }, memo)).toBe(plain);
    writeFileSync(memo, "{");
    expect(await digest({ path: "/d" }, memo)).toBe(plain);
    writeFileSync(join(source, "d/x"), "D/X");
    expect(await digest({ path: "/d" }, memo)).not.toBe(plain);
    writeFileSync(join(source, "d/x"), "d/x");
  });
});

test("what is digested is what is copied, whatever patterns say", async () => {
  const next = random(7);
  const one = (words: readonly string[]) => words[next(words.length)] ?? "";
  const words = [
    "d",
    "sub",
    "*",
    "**",
    "?",
    "*.txt",
    "x",
    "y.txt",
    "..",
    ".",
    "[a-d]",
    "[",
    "\\",
    "e",
  ];
  const pattern = () => {
    const parts = Array.from({ length: 1 + next(3) }, () => one(words));
    return `${next(4) === 0 ? "!" : ""}${parts.join("/")}`;
  };
  const patterns = () => Array.from({ length: next(4) }, pattern);
  // A listing here would go through the link to a directory.
  const loops = ["loop", "out", "dl"];
  for (let round = 0; round < rounds(20, 400); round++) {
    const parents = next(3) === 0 ? { parents: pattern().replace("!", "") } : {};
    const asked = { path: "/", exclude: patterns(), ignore: [...patterns(), ...loops], ...parents };
    const about = JSON.stringify(asked);
    const given = { selections: [selection(asked)], isListed: true };
    const digested = await outcome(digestFiles(given));
    const made = await outcome(copied(asked));
    let files: Uint8Array;
    try {
      ({ files } = digested());
    } catch (error) {
      // A pattern without a meaning, for both.
      expect(made, about).toThrow((error as Error).message);
      continue;
    }
    const listed = Buffer.from(files).toString("latin1").split("\n").slice(0, -1);
    const paths = listed.map((line) => `o/${line.split("\0")[0]}`);
    expect(made().paths.slice(1), about).toEqual(paths.toSorted());
  }
});

test("wildcards match as Go's filepath.Match, in bounded time", () => {
  const matches = (pattern: string, name: string) => compileWildcard(pattern)(name);
  const pairs: [string, string, boolean][] = [
    ["a*c", "abc", true],
    ["a*c", "ab", false],
    ["[^a]b", "cb", true],
    ["[]a]", "]", false],
    ["[\\]a]", "]", true],
    ["[a-", "a", false],
    ["\\*", "*", true],
    ["?", "é", true],
    ["a[-", "a-", false],
  ];
  for (const [pattern, name, wanted] of pairs) expect(matches(pattern, name)).toBe(wanted);
  const next = random(1);
  const letters = ["*", "?", "[", "]", "^", "-", "a", "b", "\\"];
  const word = (length: number) =>
    Array.from({ length }, () => letters[next(letters.length)] ?? "").join("");
  for (let round = 0; round < rounds(500, 50_000); round++) matches(word(next(12)), word(next(40)));
  expect(matches("*a".repeat(60), "a".repeat(250).concat("b"))).toBe(false);
});
