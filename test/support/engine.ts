import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, type Log, silentLog } from "#base";
import type { Engine } from "#engine";
import type { Helper } from "#helper";
import { TarWriter } from "#tar";
import type { Trust } from "#trust";
import { type OpenedEngine, openEngine } from "../../src/main/open-engine.ts";

export type { OpenedEngine };

/** Debian's package busybox-static. */
const busyboxPath = "/bin/busybox";
const applets = (
  "sh cat echo true false sleep ls id env pwd hostname kill ps head tail dd mkdir touch rm yes " +
  "seq date stty tty wc grep test printf mount stat ip ping nc od tr sort sync chmod"
).split(" ");

/** Where an engine under test keeps everything. */
export interface TestRoots {
  readonly dataRoot: string;
  readonly runRoot: string;
}

/** Opens an engine as the daemon does, but for its sockets, registries and policy; disposing closes it and lets containers run on. */
export async function openEngineAt(
  { dataRoot, runRoot }: TestRoots,
  options: {
    readonly log?: Log;
    readonly trust?: Trust;
    /** Stays the caller's to close. */
    readonly helper?: Helper;
  } = {},
): Promise<OpenedEngine> {
  mkdirSync(dataRoot, { recursive: true });
  mkdirSync(runRoot, { recursive: true });
  const { log = process.env.THIMBLE_TEST_LOG ? createLog("debug") : silentLog, trust } = options;
  return await openEngine({
    ...{ dataRoot, runRoot, log },
    registry: async (credentials) => {
      const { createRegistryClient, openHostDirectory } = await import("#registry-client");
      return createRegistryClient({ hosts: openHostDirectory({ directories: [] }), credentials });
    },
    trust: trust && (() => trust),
    helper: options.helper,
    network: { pools: [{ base: ownNetwork(runRoot), size: 24 }] },
  });
}

/**
 * Where the networks of an engine get their addresses. An engine that is closed and opened again
 * needs those that it had, and other tests make networks at the same time.
 */
function ownNetwork(runRoot: string): string {
  const [first = 0, second = 0] = createHash("sha256").update(runRoot).digest();
  return `10.${128 + (first >> 2)}.${second & 0xf0}.0/20`;
}

/** Data and run roots of a test's own, short enough for sockets; disposing removes them. */
export function temporaryRoots(): TestRoots & Disposable {
  const directory = mkdtempSync(join(tmpdir(), "ti-"));
  return {
    dataRoot: join(directory, "data"),
    runRoot: join(directory, "run"),
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** A root file system tar of busybox with its applets, users root and app, and nothing from a network. */
export async function* busyboxTree(): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  const common = { uid: 0, gid: 0, mtime: 1_700_000_000_000_000_000n, linkName: "" };
  const directory = (name: string, mode = 0o755) =>
    tar.entry({ ...common, type: "directory", name, mode, size: 0 });
  const file = (name: string, content: Uint8Array | string, mode = 0o644) => {
    const bytes = Buffer.from(content);
    tar.entry({ ...common, type: "file", name, mode, size: bytes.byteLength }, bytes);
  };
  for (const name of ["bin", "etc", "root", "proc", "sys", "dev", "usr"]) directory(name);
  directory("tmp", 0o1777);
  file("bin/busybox", readFileSync(busyboxPath), 0o755);
  for (const name of applets) {
    const link = { name: `bin/${name}`, linkName: "busybox", mode: 0o777, size: 0 };
    tar.entry({ ...common, ...link, type: "symlink" });
  }
  file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/home/app:/bin/sh\n");
  file("etc/group", "root:x:0:\ntty:x:5:\napp:x:1000:\nextra:x:2000:app\n");
  file("etc/not-executable", "#!/bin/sh\n");
  tar.finish();
  yield* chunks;
}

/** Makes the image busybox:latest in an engine that lacks it. */
export async function importBusybox(engine: Engine): Promise<void> {
  await engine.images.import(
    busyboxTree(),
    { reference: "busybox:latest", changes: ['CMD ["sh"]'] },
    () => undefined,
  );
}
