import { afterAll, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyTree, copyTreeHolding, O_DIRECTORY, O_RDONLY, openat2 } from "#kernel";
import { rejection, rounds } from "../../src/base/testing.ts";
import { type DiskType, loopDisk, missingMaker } from "../support/loop-disk.ts";
import { eventually } from "../support/run-container.ts";
import { describeTree } from "../support/tree.ts";

const directory = mkdtempSync(join(tmpdir(), "tc-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const open = (path: string) => openat2(undefined, path, { flags: O_RDONLY | O_DIRECTORY });
const changer = join(import.meta.dirname, "../support/tree-changer.ts");

/** Runs while the tree is changed; `stop` settles when nothing of it runs. */
async function startChanger(path: string, seed: number) {
  const child = Bun.spawn([process.execPath, changer, path, String(seed)], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const reader = child.stdout.getReader();
  expect(Buffer.from((await reader.read()).value ?? "").toString()).toContain("ready");
  const stateOf = (task: string) =>
    readFileSync(`/proc/${child.pid}/task/${task}/stat`, "utf8").split(") ")[1]?.[0];
  return {
    stop: async () => {
      child.kill("SIGSTOP");
      await eventually(() => {
        const tasks = readdirSync(`/proc/${child.pid}/task`);
        return tasks.every((task) => stateOf(task) === "T") || undefined;
      }, "the tree to stand still");
    },
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

for (const type of ["xfs", "btrfs", "plain"] as const) {
  const lacks = type === "plain" ? undefined : missingMaker(type);
  const isRoot = process.getuid?.() === 0;
  const need = isRoot ? lacks : "root";
  describe.skipIf(need !== undefined)(
    `a copy of a tree that is changed, ${type} [needs ${need ?? "root"}]`,
    () => {
      test("is that of the moment at which it stood still", async () => {
        const place = join(directory, type);
        mkdirSync(place);
        using disk =
          type === "plain"
            ? { path: place, [Symbol.dispose]: () => undefined }
            : loopDisk(type as DiskType, place, { bytes: 512 << 20 });
        for (let seed = 1; seed <= rounds(6, 100); seed++) {
          const [source, copy] = [join(disk.path, "source"), join(disk.path, "copy")];
          mkdirSync(source);
          mkdirSync(copy);
          await using tree = await startChanger(source, seed);
          using from = open(source);
          using to = open(copy);
          let held = 0;
          const copied = await copyTreeHolding(from, to, async (finish) => {
            held++;
            await tree.stop();
            return await finish();
          });
          expect(held).toBe(1);
          if (type === "plain") expect(copied).toBeGreaterThan(0);
          else expect(copied).toBe(0);
          expect(described(copy)).toEqual(described(source));
          await tree[Symbol.asyncDispose]();
          for (const path of [source, copy]) rmSync(path, { recursive: true });
        }
      });

      test("ends when its writers cannot be stopped", async () => {
        const place = join(directory, `${type}-refused`);
        mkdirSync(join(place, "to"), { recursive: true });
        writeFileSync(join(place, "f"), "x");
        using from = open(place);
        using to = open(join(place, "to"));
        const holding = () => Promise.reject(new Error("they go on"));
        expect(await rejection(copyTreeHolding(from, to, holding))).toMatchObject({
          message: "they go on",
        });
      });
    },
  );
}

/** Many files, in memory so that they are soon made. */
function manyFiles(
  count: number,
): Disposable & { readonly source: string; readonly target: string } {
  const root = mkdtempSync(existsSync("/dev/shm") ? "/dev/shm/tc-" : join(directory, "many-"));
  const [source, target] = [join(root, "source"), join(root, "target")];
  for (const path of [source, target]) mkdirSync(path);
  for (let n = 0; n < count; n++) writeFileSync(join(source, `f${n}`), "x");
  return { source, target, [Symbol.dispose]: () => rmSync(root, { recursive: true }) };
}

test("a copy ends in the middle when it is cancelled, and one that waits for its writers too", async () => {
  const count = 3_000;
  using files = manyFiles(count);
  using from = open(files.source);
  using to = open(files.target);
  const abort = new AbortController();
  const copying = copyTree(from, to, { signal: abort.signal });
  abort.abort();
  expect(await rejection(copying)).toMatchObject({ code: "canceled" });
  expect(readdirSync(files.target).length).toBeLessThan(count);
  const later = new AbortController();
  const holding = (finish: () => Promise<number>) => {
    later.abort();
    return finish();
  };
  using other = open(directory);
  const waiting = copyTreeHolding(from, other, holding, { signal: later.signal });
  expect(await rejection(waiting)).toMatchObject({ code: "canceled" });
  expect(readdirSync(directory)).not.toContain("f0");
});

test("a copy that cannot share data says how far it is", async () => {
  using files = manyFiles(0);
  writeFileSync(join(files.source, "large"), Buffer.alloc(64 << 20, "x"));
  const heard = { true: 0, false: 0 };
  // A copy may be over before anything of it was heard.
  for (let turn = 0; !heard.true || !heard.false; turn++) {
    const waits = turn % 2 === 1;
    const target = join(files.target, "copy");
    rmSync(target, { recursive: true, force: true });
    mkdirSync(target);
    using from = open(files.source);
    using to = open(target);
    const told: number[] = [];
    const watch = { onCopied: (bytes: number) => told.push(bytes) };
    const copied = waits
      ? await copyTreeHolding(from, to, (finish) => finish(), watch)
      : await copyTree(from, to, watch);
    expect(copied).toBe(64 << 20);
    expect(told).toEqual([...told].sort((a, b) => a - b));
    expect(told.every((bytes) => bytes > 0 && bytes <= copied)).toBe(true);
    heard[`${waits}`] += told.length;
  }
});

/** With the names of one file told by the first of them. */
function described(path: string): string[] {
  const first = new Map<bigint, string>();
  return describeTree(path).map((line) => {
    const name = line.slice(1, line.indexOf(" "));
    const { ino, nlink } = lstatSync(join(path, name), { bigint: true });
    if (nlink < 2n || name === "") return line;
    const known = first.get(ino) ?? name;
    first.set(ino, known);
    return `${line} = ${known}`;
  });
}
