import { afterAll, beforeAll, expect, test } from "bun:test";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defined } from "#base";
import type { Engine } from "#engine";
import { mountAll } from "#kernel";
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

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;
let engine: Engine;
let made = 0;

const alice = { uid: 12_345, gid: 23_456 };

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  engine = opened.engine;
  await importBusybox(engine);
});

afterAll(async () => {
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

/** A directory of its own for a test, with this owner. */
function directoryOf(owner: { readonly uid: number; readonly gid: number }): string {
  const path = join(roots.dataRoot, "..", `shared-${made++}`);
  mkdirSync(path);
  chownSync(path, owner.uid, owner.gid);
  return path;
}

const ownerOf = (path: string) => {
  const { uid, gid } = statSync(path);
  return { uid, gid };
};

interface Asked {
  readonly owner?: { readonly uid: number; readonly gid: number };
  readonly user?: string;
  readonly host: object;
}

/** Makes a container that stays, and gives its id. */
async function create(script: string, { owner = alice, user, host }: Asked) {
  const config = defined({ User: user });
  const request = createRequest("busybox", ["sh", "-c", script], { config, host: host as never });
  return (await engine.containers.create({ ...request, owner })).id;
}

async function start(id: string): Promise<number> {
  const { result } = await engine.containers.wait(id, "next-exit");
  await engine.containers.start(id);
  return (await result).exitCode;
}

async function run(script: string, asked: Asked): Promise<number> {
  const id = await create(script, asked);
  try {
    return await start(id);
  } finally {
    await engine.containers.remove(id, { force: true, volumes: true });
  }
}

test("what root makes inside belongs to the user who asked for the container outside", async () => {
  const path = directoryOf(alice);
  writeFileSync(join(path, "hers"), "x");
  chownSync(join(path, "hers"), alice.uid, alice.gid);
  chmodSync(join(path, "hers"), 0o600);
  const script =
    "cat /x/hers && stat -c %u:%g /x /x/hers | grep -vx 0:0; mkdir /x/d && echo 1 > /x/d/f";
  expect(await run(script, { host: { Binds: [`${path}:/x:idmap`] } })).toBe(0);
  expect(ownerOf(join(path, "d"))).toEqual(alice);
  expect(ownerOf(join(path, "d/f"))).toEqual(alice);
  expect(ownerOf(join(path, "hers"))).toEqual(alice);
});

test("whoever the container runs as has the files, or another user who is named", async () => {
  const path = directoryOf(alice);
  const bind = (User?: string) => ({
    ...{ Type: "bind", Source: path, Target: "/x" },
    BindOptions: { IDMapping: { Source: "match-user", ...defined({ User }) } },
  });
  const asApp = { user: "app", host: { Mounts: [bind()] } };
  expect(await run("test $(stat -c %u:%g /x) = 1000:1000 && touch /x/a", asApp)).toBe(0);
  const asNumber = { user: "7:8", host: { Mounts: [bind()] } };
  expect(await run("test $(stat -c %u:%g /x) = 7:8 && touch /x/b", asNumber)).toBe(0);
  const named = { host: { Mounts: [bind("app")] } };
  expect(await run("test $(stat -c %u:%g /x) = 1000:1000", named)).toBe(0);
  for (const name of ["a", "b"]) expect(ownerOf(join(path, name))).toEqual(alice);
});

test("nobody else can own a file there, and files of others are nobody's", async () => {
  const path = directoryOf(alice);
  writeFileSync(join(path, "root"), "secret", { mode: 0o600 });
  const host = { Binds: [`${path}:/x:idmap`] };
  expect(await run("cat /x/root 2>/dev/null || test $(stat -c %u /x/root) = 65534", { host })).toBe(
    0,
  );
  expect(await run("touch /x/f && chown 33 /x/f", { host })).not.toBe(0);
  // A user of the container that is not mapped.
  chmodSync(path, 0o777);
  expect(
    await run("touch /x/g", { user: "33", host: { Mounts: [mountFor(path, "0:0")] } }),
  ).not.toBe(0);
});

const mountFor = (Source: string, User: string) => ({
  ...{ Type: "bind", Source, Target: "/x" },
  BindOptions: { IDMapping: { Source: "match-user", User } },
});

test("for root the owner of the source stands", async () => {
  const path = directoryOf(alice);
  const root = { uid: 0, gid: 0 };
  expect(await run("touch /x/f", { owner: root, host: { Binds: [`${path}:/x:idmap`] } })).toBe(0);
  expect(ownerOf(join(path, "f"))).toEqual(alice);
});

test("a missing source is made for the user", async () => {
  const path = join(directoryOf({ uid: 0, gid: 0 }), "new");
  expect(await run("touch /x/f", { host: { Binds: [`${path}:/x:idmap`] } })).toBe(0);
  expect([ownerOf(path), ownerOf(join(path, "f"))]).toEqual([alice, alice]);
});

test("a further start, also by another engine, has the same owners", async () => {
  const path = directoryOf(alice);
  const id = await create("touch /x/$RANDOM$RANDOM /x/f-$(ls /x | wc -l)", {
    host: { Binds: [`${path}:/x:idmap`] },
  });
  expect(await start(id)).toBe(0);
  await opened[Symbol.asyncDispose]();
  opened = await openEngineAt(roots);
  engine = opened.engine;
  expect(await start(id)).toBe(0);
  for (const name of ["f-0", "f-2"]) expect(ownerOf(join(path, name))).toEqual(alice);
  await engine.containers.remove(id, { force: true, volumes: true });
});

test("mounts below are mapped too, and read-only stays read-only", async () => {
  const path = directoryOf(alice);
  mkdirSync(join(path, "memory"));
  await using _below = await mountAll(
    [{ type: "tmpfs", source: "tmpfs", options: [`uid=${alice.uid}`, `gid=${alice.gid}`] }],
    join(path, "memory"),
  );
  expect(await run("touch /x/memory/f", { host: { Binds: [`${path}:/x:idmap`] } })).toBe(0);
  expect(ownerOf(join(path, "memory/f"))).toEqual(alice);
  const readonly = { host: { Binds: [`${path}:/x:idmap,ro`] } };
  expect(await run("touch /x/g || touch /x/memory/g", readonly)).not.toBe(0);
});

test("a file system that cannot is named, and the container stays as it was", async () => {
  const path = directoryOf(alice);
  await using _mount = await mountAll([{ type: "ramfs", source: "ramfs", options: [] }], path);
  const id = await create("true", { host: { Binds: [`${path}:/x:idmap`] } });
  expect(await outcome(engine.containers.start(id))).toThrow(
    `the kernel has no id-mapped mounts for the file system ramfs at ${path}; leave idmap out`,
  );
  expect(engine.containers.get(id).state).toMatchObject({ status: "created", exitCode: 128 });
  await engine.containers.remove(id, { force: true, volumes: true });
});

test("a container that takes over the mounts has its own user's owners", async () => {
  const path = directoryOf(alice);
  const id = await create("true", { host: { Binds: [`${path}:/x:idmap`] } });
  const bob = { uid: 777, gid: 778 };
  chownSync(path, bob.uid, bob.gid);
  expect(await run("touch /x/f", { owner: bob, host: { VolumesFrom: [id] } })).toBe(0);
  expect(ownerOf(join(path, "f"))).toEqual(bob);
  await engine.containers.remove(id, { force: true, volumes: true });
});

test("a user whom the image does not have is told at the start", async () => {
  const path = directoryOf(alice);
  const host = { Mounts: [mountFor(path, "nobody-here")] };
  const request = createRequest("busybox", ["true"], { host: host as never });
  expect(await outcome(engine.containers.create({ ...request, owner: alice }))).toThrow(
    "unable to find user nobody-here: no matching entries in passwd file",
  );
});
