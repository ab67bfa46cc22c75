import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createLog, type Log, Scope, silentLog } from "#base";
import { openContent } from "#content";
import { createEngine, type Engine } from "#engine";
import { type Helper, openHelper } from "#helper";
import { openNetworks } from "#network";
import { openCgroups } from "#runtime";
import { openOverlaySnapshotter } from "#snapshot";
import { openState } from "#state";
import { TarWriter } from "#tar";
import { openNativeTasks } from "#task";
import type { Trust } from "#trust";

const helperPath = join(import.meta.dirname, "../../native/build/thimble-init");

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

export interface OpenedEngine extends AsyncDisposable {
  readonly engine: Awaited<ReturnType<typeof createEngine>>;
}

/** Opens an engine as the daemon does, but for its sockets; disposing closes it and lets containers run on. */
export async function openEngineAt(
  { dataRoot, runRoot }: TestRoots,
  options: {
    readonly log?: Log;
    readonly leaveNothing?: boolean;
    readonly trust?: Trust;
    /** Stays the caller's to close. */
    readonly helper?: Helper;
  } = {},
): Promise<OpenedEngine> {
  const log = options.log ?? (process.env.THIMBLE_TEST_LOG ? createLog("debug") : silentLog);
  await using scope = new Scope();
  mkdirSync(dataRoot, { recursive: true });
  mkdirSync(runRoot, { recursive: true });
  const instanceId = createHash("sha256").update(runRoot).digest("hex").slice(0, 8);
  const cgroups = openCgroups({ instanceId });
  cgroups.enterOwn();
  scope.defer(() => cgroups.close());
  const helper = options.helper ?? scope.use(openHelper({ path: helperPath }));
  const tasks = openNativeTasks({ helper, cgroups, runRoot, log });
  const state = scope.use(openState(join(dataRoot, "state.db")));
  const networks = await openNetworks({ instanceId, runRoot, state, log });
  scope.defer(() => networks.close({ removeBridges: options.leaveNothing === true }));
  const snapshots = await openOverlaySnapshotter({ root: join(dataRoot, "snapshots"), state });
  const content = await openContent({ root: join(dataRoot, "content"), state, snapshots });
  const engine = await createEngine({
    dataRoot,
    runRoot,
    state,
    tasks,
    networks,
    snapshots,
    content,
    registry: async (credentials) => {
      const { createRegistryClient, openHostDirectory } = await import("#registry-client");
      return createRegistryClient({ hosts: openHostDirectory({ directories: [] }), credentials });
    },
    ...(options.trust && { trust: options.trust }),
    log,
  });
  scope.defer(() => engine.close());
  await engine.reconcile();
  const opened = scope.release();
  return { engine, [Symbol.asyncDispose]: () => opened.disposeAsync() };
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

/** Makes the image busybox:latest in an engine that has none. */
export async function importBusybox(engine: Engine): Promise<void> {
  await engine.images.import(
    busyboxTree(),
    { reference: "busybox:latest", changes: ['CMD ["sh"]'] },
    () => undefined,
  );
}
