import { join } from "node:path";
import { type ContainerId, type ExecId, Fault } from "#base";

/** Where an engine keeps what, below its two roots. */
export class EnginePaths {
  readonly dataRoot: string;
  readonly runRoot: string;

  constructor(dataRoot: string, runRoot: string) {
    this.dataRoot = dataRoot;
    this.runRoot = runRoot;
    const longest = Buffer.byteLength(this.controlSocket("0".repeat(64) as ContainerId));
    // sockaddr_un takes 108 bytes with its terminator (unix(7)).
    if (longest > 107) {
      throw new Fault(
        "invalid",
        `the run root ${runRoot} is too long by ${longest - 107} bytes for the monitors' sockets; choose a shorter one with --run-root`,
        { about: runRoot },
      );
    }
  }

  /** What is made, or closed to everybody but its owner, when an engine is opened. */
  get directories(): readonly string[] {
    return [
      ...[this.containers, this.cache, this.runContainers],
      ...[this.runExecs, this.runViews, this.rootAnchor],
    ];
  }

  /** All that lasts of all containers. */
  get containers(): string {
    return join(this.dataRoot, "containers");
  }

  /** What lasts of one container: log, hosts, hostname, resolv.conf. */
  container(id: ContainerId): string {
    return join(this.containers, id);
  }

  log(id: ContainerId): string {
    return join(this.container(id), `${id}-json.log`);
  }

  /** Trees in the making; whatever is there at a start is left over. */
  get work(): string {
    return join(this.dataRoot, "work");
  }

  /** Downloads worth keeping. */
  get cache(): string {
    return join(this.dataRoot, "cache");
  }

  /** All that a reboot may take. */
  get runContainers(): string {
    return join(this.runRoot, "containers");
  }

  /** Half an id is enough to tell containers apart, and keeps socket paths short. */
  runContainer(id: ContainerId): string {
    return join(this.runContainers, id.slice(0, 32));
  }

  controlSocket(id: ContainerId): string {
    return join(this.runContainer(id), "monitor");
  }

  exitRecord(id: ContainerId): string {
    return join(this.runContainer(id), "exit");
  }

  get runExecs(): string {
    return join(this.runRoot, "execs");
  }

  execSocket(id: ExecId): string {
    return join(this.runExecs, id.slice(0, 32));
  }

  execExitRecord(id: ExecId): string {
    return `${this.execSocket(id)}.exit`;
  }

  /** Mounted images that are looked at; whatever is there at a start is left over. */
  get runViews(): string {
    return join(this.runRoot, "views");
  }

  /** An empty directory on which every container assembles its root, each in a mount namespace of its own. */
  get rootAnchor(): string {
    return join(this.runRoot, "root");
  }
}
