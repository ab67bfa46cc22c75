import { createHash } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { createApiServer } from "#api";
import { createLog, faultOf, type Log, type LogLevel, Scope } from "#base";
import { openContent } from "#content";
import { createEngine, type Engine, type Owner } from "#engine";
import { decodePlan, openHelper } from "#helper";
import { lockFile, peerCredentials } from "#kernel";
import { openNetwork } from "#network";
import { describePlan, openCgroups } from "#runtime";
import { openOverlaySnapshotter } from "#snapshot";
import { openState } from "#state";
import { helperPath } from "./assets.ts";
import { useEmbeddedAddon } from "./native-parts.ts";
import { releaseMemoryWhenQuiet } from "./quiet-memory.ts";
import { type Roots, roots } from "./roots.ts";
import { version } from "./version.ts";

export interface DaemonOptions {
  readonly dataRoot?: string | undefined;
  readonly runRoot?: string | undefined;
  /** "unix:///path"; absent: thimble.sock in the run root. */
  readonly host?: string | undefined;
  readonly logLevel: LogLevel;
}

/** Runs the engine until SIGTERM or SIGINT; containers go on after it. Gives the exit status. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  const log = createLog(options.logLevel);
  const places = roots(process.env, options);
  const socket = socketPath(options.host ?? `unix://${join(places.runRoot, "thimble.sock")}`);
  try {
    await using scope = new Scope();
    const engine = await openEngine(places, log, scope);
    const server = createApiServer({
      engine,
      log,
      version,
      ownerOf,
      describePlan: renderPlan,
      onRequest: releaseMemoryWhenQuiet(),
    });
    await server.listen(socket, { mode: 0o660 });
    scope.defer(() => server.close());
    const pidFile = join(places.runRoot, "engine.pid");
    writeFileSync(pidFile, `${process.pid}\n`);
    scope.defer(() => rmSync(pidFile, { force: true }));
    log.info("serving", { socket, version, pid: process.pid });
    const signal = await untilSignal();
    log.info("stopping; containers go on", { signal });
    return 0;
  } catch (error) {
    log.error(faultOf(error).message);
    return 1;
  }
}

/** Opens every module, lowest first, and the engine over them; the scope closes them in reverse. */
async function openEngine({ dataRoot, runRoot }: Roots, log: Log, scope: Scope): Promise<Engine> {
  mkdirSync(dataRoot, { recursive: true, mode: 0o711 });
  mkdirSync(runRoot, { recursive: true, mode: 0o711 });
  await useEmbeddedAddon(runRoot);
  scope.use(lockFile(join(dataRoot, "lock")));
  scope.use(lockFile(join(runRoot, "lock")));
  const instanceId = createHash("sha256").update(runRoot).digest("hex").slice(0, 8);

  const cgroups = openCgroups({ instanceId });
  scope.defer(() => cgroups.close());
  cgroups.enterOwn();
  const helper = scope.use(openHelper({ path: helperPath }));
  const state = scope.use(openState(join(dataRoot, "state.db")));
  const network = await openNetwork({ instanceId, runRoot, log });
  const snapshots = await openOverlaySnapshotter({ root: join(dataRoot, "snapshots"), state });
  const content = await openContent({ root: join(dataRoot, "content"), state, snapshots });
  const engine = await createEngine({
    dataRoot,
    runRoot,
    state,
    helper,
    network,
    cgroups,
    snapshots,
    content,
    log,
  });
  // With nothing running, nothing of this engine stays in the kernel.
  scope.defer(async () => {
    const idle = engine.containers.list({ all: false, filters: {} }).length === 0;
    await engine.close();
    await network.close({ removeBridge: idle });
  });
  await engine.reconcile();
  return engine;
}

function socketPath(host: string): string {
  return host.replace(/^unix:\/\//, "");
}

function ownerOf(socket: Socket): Owner {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd: number } };
  return peerCredentials(handle?.fd ?? -1);
}

function renderPlan(bytes: Uint8Array, format: "json" | "text"): string {
  const plan = decodePlan(bytes);
  if (format === "text") return describePlan(plan);
  const plain = (_key: string, value: unknown) =>
    typeof value === "bigint"
      ? `0x${value.toString(16)}`
      : value instanceof Uint8Array
        ? value.toBase64()
        : value;
  return JSON.stringify(plan, plain, 2);
}

function untilSignal(): Promise<string> {
  return new Promise((resolve) => {
    for (const signal of ["SIGTERM", "SIGINT"] as const)
      process.once(signal, () => resolve(signal));
  });
}
