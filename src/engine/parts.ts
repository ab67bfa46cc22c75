import type { Clock, ContainerId, CredentialSource, ExecId, KeyedLock, Log } from "#base";
import type { Content } from "#content";
import type { ContainerNames, Networks, Ports } from "#network";
import type { RegistryClient } from "#registry-client";
import type { Snapshotter } from "#snapshot";
import type { State } from "#state";
import type { Tasks } from "#task";
import type { Trust } from "#trust";
import type { Volumes } from "#volume";
import type { Background } from "./background.ts";
import type { BackupRuns } from "./backups/backup-runs.ts";
import type { BackupTable } from "./backups/backup-table.ts";
import type { Closing } from "./closing.ts";
import type { PendingAttaches } from "./containers/attach.ts";
import type { ContainerStore } from "./containers/container-store.ts";
import type { LiveDebug } from "./containers/debug-session.ts";
import type { HealthChecks } from "./containers/health.ts";
import type { LiveContainer } from "./containers/live-container.ts";
import type { LogCompression } from "./containers/log-compression.ts";
import type { LogShipping } from "./containers/log-shipping.ts";
import type { PlannedStarts } from "./containers/planned-starts.ts";
import type { Restarts } from "./containers/restarts.ts";
import type { SandboxStore } from "./containers/sandbox-store.ts";
import type { WaitRegistry } from "./containers/wait-registry.ts";
import type { EventBus } from "./events.ts";
import type { LiveExec } from "./execs/exec.ts";
import type { EngineMetrics } from "./metrics.ts";
import type { EnginePaths } from "./paths.ts";
import type { EngineSettings } from "./settings.ts";

/** The parts that the engine's verbs work on; made once by `createEngine` and handed to each. */
export interface EngineParts {
  readonly paths: EnginePaths;
  readonly state: State;
  readonly log: Log;
  readonly clock: Clock;
  readonly cpus: number;
  readonly tasks: Tasks;
  readonly networks: Networks;
  readonly names: ContainerNames;
  readonly ports: Ports;
  readonly volumes: Volumes;
  readonly snapshots: Snapshotter;
  readonly content: Content;
  /** A client of registries, made when one is needed. */
  readonly registry: (credentials: CredentialSource) => Promise<RegistryClient>;
  /** The policy of images that may be pulled and run; absent: all may. */
  readonly trust?: Trust;
  /** Replaced when they are read again. */
  readonly settings: { current: EngineSettings };
  readonly store: ContainerStore;
  readonly sandboxes: SandboxStore;
  readonly events: EventBus;
  readonly metrics: EngineMetrics;
  readonly waits: WaitRegistry;
  /** Held per container while it changes between states. */
  readonly locks: KeyedLock;
  readonly live: Map<ContainerId, LiveContainer>;
  readonly execs: Map<ExecId, LiveExec>;
  /** Sessions of `debug` by the container whose files they have. */
  readonly debugging: Map<ContainerId, LiveDebug>;
  readonly pendingAttaches: PendingAttaches;
  readonly plannedStarts: PlannedStarts;
  /** Containers that are on their way out: no one may start them or remove them again. */
  readonly removing: Set<ContainerId>;
  /** Containers that stop only to start again: they are not removed in between. */
  readonly restarting: Set<ContainerId>;
  readonly restarts: Restarts;
  readonly health: HealthChecks;
  readonly logCompression: LogCompression;
  readonly logShipping: LogShipping;
  readonly backupTable: BackupTable;
  readonly backupRuns: BackupRuns;
  readonly background: Background;
  readonly closing: Closing;
}

/** The parts that a function or a group of them may touch; it takes no others. */
export type Parts<Name extends keyof EngineParts> = Pick<EngineParts, Name>;
