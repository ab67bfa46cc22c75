import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "#engine";
import { mountAll, mountTable } from "#kernel";
import { outcome } from "../../src/base/testing.ts";
import { createRequest } from "../support/create-request.ts";
import {
  importBusybox,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { runContainer, startSleeper } from "../support/run-container.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;
let source: string;
let mounts: AsyncDisposable;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  engine = opened.engine;
  await importBusybox(engine);
  source = join(roots.dataRoot, "..", "shared");
  mkdirSync(source);
  mounts = await mountAll([{ type: "tmpfs", source: "tmpfs", options: [] }], source);
  ok(["mount", "--make-rshared", source]);
  for (const name of ["early", "late", "inside"]) mkdirSync(join(source, name));
  ok(["mount", "-t", "tmpfs", "early", join(source, "early")]);
});

afterAll(async () => {
  ok(["umount", join(source, "early")]);
  await mounts[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

function ok(command: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(command);
  if (exitCode !== 0) throw new Error(`${command.join(" ")}: ${stderr}`);
}

const remove = (id: string) => engine.containers.remove(id, { force: true, volumes: true });

/** Which mounts of the host a container sees come, and whether its own reach the host. */
async function travelled(mode: string) {
  const id = await startSleeper(engine, { host: { Binds: [`${source}:/x:${mode}`] } });
  const { pid } = engine.containers.get(id).state;
  const seen = (name: string) =>
    readFileSync(`/proc/${pid}/mountinfo`, "utf8").includes(` /x/${name} `);
  ok(["mount", "-t", "tmpfs", "late", join(source, "late")]);
  ok([
    "nsenter",
    "-t",
    String(pid),
    "-m",
    "/bin/busybox",
    "mount",
    "-t",
    "tmpfs",
    "i",
    "/x/inside",
  ]);
  const reaches = mountTable().some(({ target }) => target === join(source, "inside"));
  const result = { early: seen("early"), late: seen("late"), reaches };
  ok(["umount", join(source, "late")]);
  if (reaches) ok(["umount", join(source, "inside")]);
  await remove(id);
  return result;
}

test.each([
  ["rprivate", { early: true, late: false, reaches: false }],
  ["private", { early: true, late: false, reaches: false }],
  ["rslave", { early: true, late: true, reaches: false }],
  ["slave", { early: true, late: true, reaches: false }],
  ["rshared", { early: true, late: true, reaches: true }],
  ["shared", { early: true, late: true, reaches: true }],
])("mounts travel through a bind that is %s as far as that says", async (mode, expected) => {
  expect(await travelled(mode)).toEqual(expected);
});

test("a bind of one mount alone leaves out those below", async () => {
  const Mounts = [
    {
      ...{ Type: "bind", Source: source, Target: "/x" },
      BindOptions: { NonRecursive: true },
    },
  ];
  const { stdout } = await runContainer(engine, ["grep", "-c", " /x", "/proc/mounts"], {
    host: { Mounts, AutoRemove: true },
  });
  expect(stdout).toBe("1\n");
});

test("read-only covers the mounts below, unless they are to stay writable", async () => {
  const script =
    "touch /x/f 2>/dev/null && echo top; touch /x/early/f 2>/dev/null && echo below; true";
  const run = async (BindOptions: object) => {
    const mount = { Type: "bind", Source: source, Target: "/x", ReadOnly: true, BindOptions };
    const { stdout } = await runContainer(engine, ["sh", "-c", script], {
      host: { Mounts: [mount], AutoRemove: true },
    });
    return stdout;
  };
  expect(await run({})).toBe("");
  expect(await run({ ReadOnlyForceRecursive: true })).toBe("");
  expect(await run({ ReadOnlyNonRecursive: true })).toBe("below\n");
});

test("labels of SELinux are taken as they are", async () => {
  const Binds = [`${source}:/x:z`, `${source}:/y:Z,ro`, "labelled:/v:Z"];
  const { exitCode } = await runContainer(engine, ["true"], { host: { Binds, AutoRemove: true } });
  expect(exitCode).toBe(0);
  await engine.volumes.remove("labelled", { force: false });
});

// As dockerd 28 says it.
test.each([
  ["rshared", "a shared mount"],
  ["shared", "a shared mount"],
  ["rslave", "a shared or slave mount"],
])("a bind that is %s of a mount that sends none is refused", async (mode, what) => {
  const own = join(roots.dataRoot, "..", "alone");
  mkdirSync(own, { recursive: true });
  await using _private = await mountAll([{ type: "tmpfs", source: "tmpfs", options: [] }], own);
  ok(["mount", "--make-private", own]);
  const request = createRequest("busybox", ["true"], { host: { Binds: [`${own}:/x:${mode}`] } });
  const { id } = await engine.containers.create(request);
  expect(await outcome(engine.containers.start(id))).toThrow(
    `path ${own} is mounted on ${own} but it is not ${what}`,
  );
  await remove(id);
});
