import { availableParallelism } from "node:os";
import {
  type Clock,
  type ContainerId,
  type CredentialSource,
  KeyedLock,
  type Log,
  systemClock,
} from "#base";
import type { Content } from "#content";
import { type Fd, makePrivateDirectory } from "#kernel";
import type { ContainerNames, Networks, Ports } from "#network";
import type { RegistryClient } from "#registry-client";
import type { Executor } from "#rootfs";
import type { Snapshotter } from "#snapshot";
import type { State } from "#state";
import type { Tasks } from "#task";
import type { Trust } from "#trust";
import type { Volumes } from "#volume";
import { Background } from "./background.ts";
import { BackupRuns } from "./backups/backup-runs.ts";
import { BackupTable } from "./backups/backup-table.ts";
import { createBackups, startBackups } from "./backups/backups.ts";
import { createBuilds } from "./builds/builds.ts";
import { Closing } from "./closing.ts";
import { PendingAttaches } from "./containers/attach.ts";
import { ContainerStore } from "./containers/container-store.ts";
import { createContainers } from "./containers/containers.ts";
import { HealthChecks } from "./containers/health.ts";
import { LogCompression } from "./containers/log-compression.ts";
import { LogShipping } from "./containers/log-shipping.ts";
import { PlannedStarts } from "./containers/planned-starts.ts";
import { Restarts } from "./containers/restarts.ts";
import { SandboxStore } from "./containers/sandbox-store.ts";
import { startAgain } from "./containers/start.ts";
import { WaitRegistry } from "./containers/wait-registry.ts";
import type { Engine } from "./contract.ts";
import { engineInfo } from "./engine-info.ts";
import { EventBus } from "./events.ts";
import { ContainerExecs } from "./execs/exec.ts";
import { createExecutor } from "./executor.ts";
import { createFiles } from "./files/files.ts";
import { createAnalysis } from "./images/explain.ts";
import { createImages } from "./images/images.ts";
import { EngineMetrics } from "./metrics.ts";
import { createNetworks } from "./networks/networks.ts";
import type { EngineParts } from "./parts.ts";
import { EnginePaths } from "./paths.ts";
import { reconcile } from "./reconcile.ts";
import { checkDefaults, defaultSettings, type EngineSettings, reload } from "./settings.ts";
import { createRegistries } from "./transfer/registries.ts";
import { createVolumes } from "./volumes/volumes.ts";

/** Lower modules; the program that starts the engine opens them, and closes them after it. */
export interface EngineDependencies {
  readonly dataRoot: string;
  readonly runRoot: string;
  readonly state: State;
  readonly tasks: Tasks;
  readonly networks: Networks;
  /** The names of containers, over a resolver; it is given what opens the network namespace of a container that runs. */
  readonly names: (openNamespace: (id: string) => Fd | undefined) => ContainerNames;
  readonly ports: Ports;
  readonly volumes: Volumes;
  readonly snapshots: Snapshotter;
  readonly content: Content;
  /**
   * A client of registries; called at each use, so that an engine that needs no registry does not
   * load one.
   */
  readonly registry: (credentials: CredentialSource) => Promise<RegistryClient>;
  /** The policy of images that may be pulled and run; absent: all may. */
  readonly trust?: Trust;
  /** Absent: as Docker's. */
  readonly settings?: EngineSettings | undefined;
  readonly log: Log;
  readonly clock?: Clock;
}

/** An engine with its executor, over which `rootfs` runs programs. Call `reconcile` before serving. */
export async function createEngine(
  dependencies: EngineDependencies,
): Promise<Engine & { readonly executor: Executor }> {
  const {
    dataRoot,
    runRoot,
    settings = defaultSettings,
    clock = systemClock,
    ...modules
  } = dependencies;
  const paths = new EnginePaths(dataRoot, runRoot);
  for (const path of paths.directories) makePrivateDirectory(path);
  const background = new Background(modules.log);
  const metrics = new EngineMetrics();
  const live: EngineParts["live"] = new Map();
  const names = modules.names((id) => live.get(id as ContainerId)?.task.openNamespace("network"));
  const backupTable = new BackupTable(modules.state);
  const now = () => Number(clock.now() / 1_000_000n);
  const base: Omit<EngineParts, "health"> = {
    ...modules,
    names,
    paths,
    settings: { current: settings },
    clock,
    cpus: availableParallelism(),
    store: new ContainerStore(modules.state),
    sandboxes: new SandboxStore(modules.state),
    events: new EventBus(clock, metrics.events),
    metrics,
    waits: new WaitRegistry(),
    locks: new KeyedLock(),
    live,
    execs: new Map(),
    debugging: new Map(),
    pendingAttaches: new PendingAttaches(),
    plannedStarts: new PlannedStarts(),
    removing: new Set(),
    restarting: new Set(),
    restarts: new Restarts((id) => {
      void background.run(`starting container ${id} again`, () => startAgain(parts, id));
    }),
    background,
    backupTable,
    backupRuns: new BackupRuns({ table: backupTable, background, log: modules.log, now }),
    logCompression: new LogCompression({ background, log: modules.log }),
    logShipping: new LogShipping({ paths, background, metrics, log: modules.log }),
    closing: new Closing(),
  };
  checkDefaults(settings, base);
  modules.content.limitDownloads(settings.maxDownloads);
  const execs = new ContainerExecs(base);
  const parts: EngineParts = { ...base, health: new HealthChecks(base, execs) };
  const executor = createExecutor(parts);
  return {
    executor,
    containers: createContainers(parts),
    execs,
    files: createFiles(parts),
    images: createImages(parts, executor),
    networks: createNetworks(parts),
    analysis: createAnalysis(parts),
    registries: createRegistries(parts),
    volumes: createVolumes(parts),
    backups: createBackups(parts),
    builds: createBuilds(parts),
    events: parts.events,
    info: () => engineInfo(parts),
    get settings() {
      return parts.settings.current;
    },
    reload: (next) => reload(parts, next),
    metrics: async (version) => {
      const { subscribers } = parts.events;
      return metrics.render({ info: await engineInfo(parts), version, subscribers });
    },
    diskUsage: async () => {
      const { diskUsage } = await import("./images/disk-usage.ts");
      return await diskUsage(parts);
    },
    fsck: (request) => parts.content.fsck(request),
    reconcile: async () => {
      await reconcile(parts);
      startBackups(parts);
    },
    close: async () => {
      parts.closing.close();
      parts.backupRuns.close();
      parts.restarts.close();
      parts.logCompression.close();
      parts.logShipping.close();
      await parts.background.settled();
    },
  };
}
