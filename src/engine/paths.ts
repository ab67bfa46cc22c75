import { join } from "node:path";
import type { ContainerId } from "#base";

/** The places of an engine's files, below its two roots. */
export class EnginePaths {
  readonly dataRoot: string;
  readonly runRoot: string;

  constructor(dataRoot: string, runRoot: string) {
    this.dataRoot = dataRoot;
    this.runRoot = runRoot;
  }

  /**
   * Directories that are made, or closed to all users but their owner, when an engine is opened.
   */
  get directories(): readonly string[] {
    return [this.containers, this.cache, this.backups, this.runViews, this.sharedMemory];
  }

  /** All that lasts of all containers. */
  get containers(): string {
    return join(this.dataRoot, "containers");
  }

  /** The files of a container that last: log, hosts, hostname, resolv.conf. */
  container(id: ContainerId): string {
    return join(this.containers, id);
  }

  log(id: ContainerId): string {
    return join(this.container(id), `${id}-json.log`);
  }

  /** How far the log has been shipped to its receiver. */
  shipMark(id: ContainerId): string {
    return join(this.container(id), "shipped");
  }

  /** Trees in the making; whatever is there at a start is left over. */
  get work(): string {
    return join(this.dataRoot, "work");
  }

  /** What backups have under way, also of those that did not come to their end. */
  get backups(): string {
    return join(this.dataRoot, "backups");
  }

  /** What builds keep for the next ones. */
  get builds(): string {
    return join(this.dataRoot, "build");
  }

  /** Downloads worth keeping. */
  get cache(): string {
    return join(this.dataRoot, "cache");
  }

  /** A mount for each running container that shares its ipc namespace. */
  get sharedMemory(): string {
    return join(this.runRoot, "shm");
  }

  /** Mounted images that are looked at; whatever is there at a start is left over. */
  get runViews(): string {
    return join(this.runRoot, "views");
  }
}
