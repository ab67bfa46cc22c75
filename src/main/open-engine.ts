import { join } from "node:path";
import { defined, type Log, Scope } from "#base";
import { openDataRoot } from "#content";
import { createEngine, type EngineDependencies, type EngineSettings } from "#engine";
import { findResolver, type Helper, openHelper, openResolver } from "#helper";
import type { CompressionChoice } from "#layer";
import {
  ContainerNames,
  type NetworkDefaults,
  openNetworks,
  openPorts,
  readHostResolvConf,
} from "#network";
import { openCgroups } from "#runtime";
import type { State } from "#state";
import { openNativeTasks } from "#task";
import type { Trust } from "#trust";
import { openVolumes } from "#volume";
import { helperPath } from "./assets.ts";
import { instanceIdOf, type Roots } from "./roots.ts";

/** With two, one is there while the other is made again. */
const readyLaunchers = 2;

/**
 * An engine's roots, which exist already, and the settings in which the daemon's differs from a
 * test's.
 */
export interface EngineOptions extends Pick<Roots, "dataRoot" | "runRoot"> {
  readonly log: Log;
  readonly registry: EngineDependencies["registry"];
  /** The policy of images that may be pulled and run; absent: all may. */
  readonly trust?: ((state: State) => Trust) | undefined;
  /** The compression of layers that are made here, and of plain ones when they are pushed. */
  readonly compression?: CompressionChoice | undefined;
  /** What an administrator sets; absent: as Docker has it. */
  readonly settings?: EngineSettings | undefined;
  readonly network?: NetworkDefaults | undefined;
  /** Starts and watches processes, and stays the caller's to close; absent: the build's own. */
  readonly helper?: Helper | undefined;
}

/**
 * An engine that has settled what its forerunner left; disposing closes it, and containers go on.
 */
export interface OpenedEngine extends AsyncDisposable {
  readonly engine: Awaited<ReturnType<typeof createEngine>>;
}

/**
 * Whether systemd has given this process the cgroup of a unit, by which it knows the engine's
 * processes and the journal their lines. On version 1 it has a hierarchy of its own for that.
 */
function staysInUnit(version: 1 | 2, env: NodeJS.ProcessEnv): boolean {
  return version === 2 && env.SYSTEMD_EXEC_PID === String(process.pid);
}

/** Opens every module, lowest first, and the engine over them; disposing closes them in reverse. */
export async function openEngine(options: EngineOptions): Promise<OpenedEngine> {
  const { dataRoot, runRoot, log, registry } = options;
  await using scope = new Scope();
  const instanceId = instanceIdOf(runRoot);
  const cgroups = openCgroups({ instanceId });
  scope.defer(() => cgroups.close());
  if (!staysInUnit(cgroups.version, process.env)) cgroups.enterOwn();
  const helper = options.helper ?? openHelper({ path: helperPath, ready: readyLaunchers, log });
  // They stand in a cgroup of the engine's, which goes after them.
  if (!options.helper) scope.defer(() => helper.close());
  const tasks = openNativeTasks({ helper, cgroups, runRoot, log });
  const { compression } = options;
  const { state, snapshots, content } = scope.use(
    await openDataRoot(dataRoot, { log, compression }),
  );
  const networks = await openNetworks({
    ...{ instanceId, runRoot, state, log },
    ...defined({ defaults: options.network }),
  });
  const ports = await openPorts({ state, helper, runRoot, log });
  const volumes = await openVolumes({ state, directory: join(dataRoot, "volumes"), log });
  let names: ContainerNames | undefined;
  const engine = await createEngine({
    names: (openNamespace) => {
      const socket = join(runRoot, "dns");
      names = new ContainerNames({
        open: () => openResolver(helper, socket),
        find: () => findResolver(socket),
        openNamespace,
        hostResolvConf: readHostResolvConf,
        log,
      });
      return names;
    },
    ...{
      dataRoot,
      runRoot,
      log,
      state,
      tasks,
      networks,
      ports,
      volumes,
      snapshots,
      content,
      registry,
    },
    ...defined({ trust: options.trust?.(state), settings: options.settings }),
  });
  // With nothing running, nothing of this engine stays in the kernel.
  scope.defer(async () => {
    const isIdle = engine.containers.list({ all: false, filters: {} }).length === 0;
    await engine.close();
    await names?.close({ quit: isIdle });
    await ports.close();
    await volumes.drained();
    await networks.close({ removeBridges: isIdle });
  });
  await engine.reconcile();
  void helper.prepare();
  networks.prepare();
  const opened = scope.release();
  return { engine, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}
