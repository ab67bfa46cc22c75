import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Engine } from "#engine";
import type { ChainId } from "#image";
import { mountTable } from "#kernel";
import { openOverlaySnapshotter, type Snapshotter } from "#snapshot";
import { openState } from "#state";
import { TarWriter } from "#tar";
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

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  engine = opened.engine;
  await importBusybox(engine);
  await importTools("tools:1");
});

afterAll(async () => {
  for (const { id } of engine.containers.list({ all: true, filters: {} })) await remove(id);
  await opened[Symbol.asyncDispose]();
  roots[Symbol.dispose]();
  await leaks.settled();
});

const remove = (id: string) => engine.containers.remove(id, { force: true, volumes: true });

/** An image with /dir/f, /inner -> dir, /up -> ../../.., /etc-link -> /dir and a program. */
async function importTools(reference: string, label = "tools"): Promise<void> {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  const common = { uid: 0, gid: 0, mtime: 0n, linkName: "", mode: 0o755 };
  tar.entry({ ...common, type: "directory", name: "dir", size: 0 });
  tar.entry({ ...common, type: "file", name: "dir/f", size: 6 }, Buffer.from("tools\n"));
  const links = { inner: "dir", up: "../../..", absolute: "/dir" };
  for (const [name, linkName] of Object.entries(links))
    tar.entry({ ...common, type: "symlink", name, linkName, size: 0 });
  const program = Buffer.from("#!/bin/sh\necho ran\n");
  tar.entry({ ...common, type: "file", name: "program", size: program.length }, program);
  tar.finish();
  async function* stream() {
    yield* chunks;
  }
  await engine.images.import(
    stream(),
    { reference, changes: [`LABEL is=${label}`] },
    () => undefined,
  );
}

const mount = (Target: string, Subpath?: string, Source = "tools:1") => ({
  ...{ Type: "image", Source, Target },
  ...(Subpath !== undefined && { ImageOptions: { Subpath } }),
});

const run = async (script: string, Mounts: readonly object[]) =>
  await runContainer(engine, ["sh", "-c", script], { host: { Mounts, AutoRemove: true } as never });

test("an image is mounted whole, read-only, and its programs run", async () => {
  const { stdout, stderr } = await run("ls /x; /x/program; touch /x/new", [mount("/x")]);
  expect(stdout).toBe("absolute\ndir\ninner\nprogram\nup\nran\n");
  expect(stderr).toContain("Read-only file system");
});

test("parts of images are mounted, and their links stay within the image", async () => {
  const { stdout } = await run("ls /a /b /c; cat /f; touch /a/x 2>/dev/null || echo refused", [
    ...[mount("/a", "dir"), mount("/b", "inner"), mount("/c", "absolute"), mount("/f", "dir/f")],
  ]);
  expect(stdout).toBe("/a:\nf\n\n/b:\nf\n\n/c:\nf\ntools\nrefused\n");
  const above = await run("ls /u", [mount("/u", "up")]);
  expect(above.stdout).toContain("program\n");
  expect(readdirSync(join(roots.runRoot, "views"))).toEqual([]);
});

test("one image at several places, and another's mounts", async () => {
  const id = await startSleeper(engine, {
    name: "first",
    host: { Mounts: [mount("/x"), mount("/y", "dir")] },
  });
  const { stdout } = await runContainer(engine, ["sh", "-c", "cat /x/dir/f /y/f"], {
    host: { VolumesFrom: ["first"], AutoRemove: true },
  });
  expect(stdout).toBe("tools\ntools\n");
  await remove(id);
});

test("an image that a container has mounted stays, and its files when it is forced away", async () => {
  await importTools("kept:1", "kept");
  const { id } = await engine.containers.create(
    createRequest("busybox", ["cat", "/x/dir/f", "/y/f"], {
      host: { Mounts: [mount("/x", undefined, "kept:1"), mount("/y", "dir", "kept:1")] },
    }),
  );
  const image = (await engine.images.get("kept:1")).id;
  expect(await outcome(engine.images.remove("kept:1", { force: false, prune: true }))).toThrow(
    `container ${id.slice(0, 12)} is using its referenced image`,
  );
  expect((await engine.images.prune({ dangling: ["false"], label: ["is=kept"] })).deleted).toEqual(
    [],
  );
  await engine.images.remove("kept:1", { force: true, prune: true });
  expect(await outcome(engine.images.get(image))).toThrow("there is no image");
  // Over a restart of the engine as well.
  await opened[Symbol.asyncDispose]();
  opened = await openEngineAt(roots);
  engine = opened.engine;
  const { result } = await engine.containers.wait(id, "next-exit");
  await engine.containers.start(id);
  expect((await result).exitCode).toBe(0);
  await remove(id);
  expect(opened.engine.containers.list({ all: true, filters: {} })).toEqual([]);
});

test.each([
  [
    [mount("/x", undefined, "nosuch")],
    'invalid mount config for type "image": there is no image "nosuch',
  ],
  [[mount("/x", "nope")], "cannot access path /nope of image tools:1: "],
  [[mount("/x", "dir/f/g")], "cannot access path /dir/f/g of image tools:1: "],
  [[mount("/x"), mount("/x/")], "Duplicate mount point: /x"],
  [[mount("/proc/x")], "cannot be mounted because it is inside /proc"],
])("the mounts %j are refused before anything is made", async (Mounts, message) => {
  const request = createRequest("busybox", ["true"], { host: { Mounts } as never });
  expect(await outcome(engine.containers.create(request))).toThrow(message);
  expect(engine.containers.list({ all: true, filters: {} })).toEqual([]);
});

test("a view that a crash left goes with the next start", async () => {
  const key = `${"a".repeat(64)}-mount-0`;
  await opened[Symbol.asyncDispose]();
  const withSnapshots = async <T>(work: (snapshots: Snapshotter) => T | Promise<T>) => {
    const state = openState(join(roots.dataRoot, "state.db"));
    try {
      return await work(
        await openOverlaySnapshotter({ root: join(roots.dataRoot, "snapshots"), state }),
      );
    } finally {
      state.close();
    }
  };
  await withSnapshots((snapshots) => snapshots.view(key, snapshots.list()[0]?.name as ChainId));
  opened = await openEngineAt(roots);
  await opened[Symbol.asyncDispose]();
  expect(await withSnapshots((snapshots) => snapshots.stat(key))).toBeUndefined();
  opened = await openEngineAt(roots);
  engine = opened.engine;
});

test("a tmpfs has the options that were asked for", async () => {
  const shown = async (host: object) => {
    const script = "grep ' /t ' /proc/mounts; stat -c '%a %u:%g' /t";
    const { stdout } = await runContainer(engine, ["sh", "-c", script], {
      host: { ...host, AutoRemove: true },
    });
    return stdout.trim();
  };
  expect(await shown({ Tmpfs: { "/t": "size=1m,mode=700,uid=5,gid=6,exec" } })).toMatch(
    /^tmpfs \/t tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=700,uid=5,gid=6\S* 0 0\n700 5:6$/,
  );
  const TmpfsOptions = { SizeBytes: 2 << 20, Mode: 0o1700, Options: [["exec"], ["noatime"]] };
  expect(
    await shown({ Mounts: [{ Type: "tmpfs", Target: "/t", ReadOnly: true, TmpfsOptions }] }),
  ).toMatch(/^tmpfs \/t tmpfs ro,nosuid,nodev,noatime,size=2048k,mode=1700\S* 0 0\n1700 0:0$/);
});

test("a tmpfs is not taken over from another container", async () => {
  const host = { Tmpfs: { "/t": "" }, Mounts: [{ Type: "tmpfs", Target: "/u" }] };
  const id = await startSleeper(engine, { name: "memory", host });
  const { stdout } = await runContainer(engine, ["grep", "-cE", " /(t|u) ", "/proc/mounts"], {
    host: { VolumesFrom: ["memory"], AutoRemove: true },
  });
  expect(stdout).toBe("0\n");
  await remove(id);
});

test("no mount of a container is left on the host", () => {
  const below = Object.values({ data: roots.dataRoot, run: roots.runRoot });
  expect(
    mountTable().filter(({ target }) => below.some((root) => target.startsWith(`${root}/`))),
  ).toEqual([]);
});
