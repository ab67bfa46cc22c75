import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { O_PATH, openat2 } from "#kernel";
import { checkProgram } from "./program-check.ts";
import { ProgramTree } from "./program-tree.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-program-"));
  mkdirSync(join(directory, "root"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function put(path: string, content: string | Uint8Array, mode = 0o755): void {
  const place = join(directory, "root", path);
  mkdirSync(dirname(place), { recursive: true });
  writeFileSync(place, content);
  chmodSync(place, mode);
}

/** A static program of the machine; the fields that are looked at, and no code. */
function staticElf(machine = process.arch === "arm64" ? 183 : 62): Buffer {
  const bytes = Buffer.alloc(128);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  bytes.writeUInt16LE(2, 16);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}

async function check(
  program: string,
  change: { readonly uid?: number; readonly mounts?: Readonly<Record<string, string>> } = {},
) {
  using opened = new DisposableStack();
  const open = (path: string) => opened.use(openat2(undefined, path, { flags: O_PATH }));
  const mounts = Object.entries(change.mounts ?? {}).map(([at, path]) => [at, open(path)] as const);
  const tree = new ProgramTree(open(join(directory, "root")), new Map(mounts));
  const { uid = 0 } = change;
  const { path, problems } = await checkProgram(tree, {
    ...{ program, uid, gids: [uid], path: "/usr/bin:/bin", workingDir: "/work", libraryPath: "" },
  });
  return { path, kinds: problems.map(({ kind }) => kind), text: problems[0]?.message ?? "" };
}

describe("a program is found as execve finds it", () => {
  test("by PATH, by its path, relative to the working directory, through links", async () => {
    put("/bin/tool", staticElf());
    put("/work/run", staticElf());
    symlinkSync("../../bin/tool", join(directory, "root/work/link"));
    expect(await check("tool")).toMatchObject({ path: "/bin/tool", kinds: [] });
    expect(await check("./run")).toMatchObject({ path: "/work/run", kinds: [] });
    expect(await check("/work/link")).toMatchObject({ kinds: [] });
  });

  test("a file of PATH that cannot be executed gives way to a later one", async () => {
    put("/usr/bin/tool", staticElf(), 0o644);
    expect(await check("tool")).toMatchObject({ path: "/usr/bin/tool", kinds: ["not-executable"] });
    put("/bin/tool", staticElf());
    expect(await check("tool")).toMatchObject({ path: "/bin/tool", kinds: [] });
  });

  test("mounts cover what the image has, and links do not lead out of the tree", async () => {
    put("/app/run", staticElf());
    mkdirSync(join(directory, "source"));
    writeFileSync(join(directory, "outside"), staticElf(), { mode: 0o755 });
    symlinkSync("../../outside", join(directory, "source/out"));
    const mounts = { "/app": join(directory, "source") };
    expect(await check("/app/run")).toMatchObject({ kinds: [] });
    expect((await check("/app/run", { mounts })).text).toContain("/app has out");
    expect(await check("/app/out", { mounts })).toMatchObject({ kinds: ["not-found"] });
  });
});

describe("what keeps a program from being run", () => {
  test.each<[string, string | Uint8Array, number, string, string]>([
    ["no x bit", staticElf(), 0o644, "not-executable", "mode is 0644"],
    ["another machine", staticElf(8), 0o755, "wrong-architecture", "is a program for mips"],
    [
      "a script without its interpreter",
      "#!/bin/bash -e\n",
      0o755,
      "missing-interpreter",
      "/bin/bash",
    ],
    ["line ends of Windows", "#!/bin/sh\r\n", 0o755, "missing-interpreter", '"/bin/sh\\r"'],
    ["a text", "echo hi\n", 0o755, "unknown-format", "without a first line"],
    ["a byte order mark", "\ufeff#!/bin/sh\n", 0o755, "unknown-format", "byte order mark"],
    ["an empty file", "", 0o755, "unknown-format", "is empty"],
    [
      "a format of another system",
      Buffer.of(0x4d, 0x5a, 0, 1),
      0o755,
      "unknown-format",
      "no program",
    ],
    [
      "a damaged program",
      Buffer.from("\x7fELF".padEnd(64, "\xff"), "latin1"),
      0o755,
      "damaged",
      "ELF",
    ],
  ])("%s", async (_, content, mode, kind, text) => {
    put("/bin/tool", content, mode);
    const found = await check("/bin/tool");
    expect(found.kinds).toEqual([kind as never]);
    expect(found.text).toContain(text);
  });

  test("what env looks for is looked for as well", async () => {
    put("/bin/tool", "#!/usr/bin/env -S node --flag\n");
    put("/usr/bin/env", staticElf());
    expect((await check("tool")).text).toContain("a script for node");
    put("/bin/node", staticElf());
    expect((await check("tool")).kinds).toEqual([]);
  });

  test("nothing of that name, a directory, a user who may not", async () => {
    put("/bin/tool", staticElf(), 0o750);
    put("/closed/tool", staticElf());
    chmodSync(join(directory, "root/closed"), 0o700);
    const uid = (process.getuid?.() ?? 0) + 1000;
    expect((await check("nothing")).text).toContain("no directory of PATH (/usr/bin:/bin)");
    expect((await check("/bin/nothing")).text).toContain("/bin has tool");
    expect((await check("/bin")).kinds).toEqual(["directory"]);
    expect((await check("tool", { uid })).kinds).toEqual(["not-executable"]);
    expect((await check("/closed/tool", { uid })).kinds).toEqual(["no-access"]);
  });

  test("a dynamic program names its loader, then the libraries that no directory has", async () => {
    put("/bin/tool", "");
    copyFileSync("/bin/ls", join(directory, "root/bin/tool"));
    const without = await check("tool");
    expect(without.kinds).toEqual(["missing-loader"]);
    const [, loader = ""] = /its loader (\S+)/.exec(without.text) ?? [];
    put(loader, staticElf());
    const lacking = await check("tool");
    expect(lacking.kinds).toEqual(["missing-library"]);
    expect(lacking.text).toContain("libc.so.6");
    put("/opt/lib/libc.so.6", staticElf());
    put("/etc/ld.so.conf.d/opt.conf", "# ours\n/opt/lib\n", 0o644);
    expect((await check("tool")).text).not.toContain("libc.so.6");
  });

  test("a loop of links is no program", async () => {
    put("/bin/x", staticElf());
    symlinkSync("loop", join(directory, "root/bin/loop"));
    expect((await check("/bin/loop")).kinds).toEqual(["not-found"]);
  });
});
