import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#base";
import { makePrivateDirectory } from "#kernel";

/** Half an id is enough to tell tasks apart, and keeps socket paths short. */
const idLength = 32;

const parentFile = "cgroup-parent";

/** Where the control sockets and exit records of tasks are, below the run root; a reboot may take them. */
export class TaskFiles {
  readonly #containers: string;
  readonly #execs: string;
  /** An empty directory on which every task assembles its root, each in a mount namespace of its own. */
  readonly rootAnchor: string;

  constructor(runRoot: string) {
    this.#containers = join(runRoot, "containers");
    this.#execs = join(runRoot, "execs");
    this.rootAnchor = join(runRoot, "root");
    const longest = Buffer.byteLength(this.controlSocket("0".repeat(idLength)));
    // sockaddr_un takes 108 bytes with its terminator (unix(7)).
    if (longest > 107) {
      throw new Fault(
        "invalid",
        `the run root ${runRoot} is too long by ${longest - 107} bytes for the monitors' sockets; choose a shorter one with --run-root`,
        { about: runRoot },
      );
    }
    for (const path of [this.#containers, this.#execs, this.rootAnchor]) makePrivateDirectory(path);
  }

  controlSocket(id: string): string {
    return join(this.#directory(id), "monitor");
  }

  exitRecord(id: string): string {
    return join(this.#directory(id), "exit");
  }

  execSocket(id: string): string {
    return join(this.#execs, id.slice(0, idLength));
  }

  /** An empty directory for a task's files; it remembers the parent of the task's cgroup, where that is not ours. */
  prepare(id: string, cgroupParent?: string): void {
    const directory = this.#directory(id);
    rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { mode: 0o700 });
    if (cgroupParent !== undefined)
      writeFileSync(join(directory, parentFile), `${cgroupParent}\n${id}`);
  }

  /** The parent of a task's cgroup that `prepare` was given. */
  cgroupParent(id: string): string | undefined {
    return this.#parentOf(this.#directory(id))?.parent;
  }

  /** The tasks with a cgroup below another's parent. */
  withOwnParent(): readonly string[] {
    return readdirSync(this.#containers).flatMap(
      (name) => this.#parentOf(join(this.#containers, name))?.id ?? [],
    );
  }

  #parentOf(directory: string): { readonly parent: string; readonly id: string } | undefined {
    try {
      const [parent = "", id = ""] = readFileSync(join(directory, parentFile), "utf8").split("\n");
      return parent && id ? { parent, id } : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  }

  /** On a disk each unlink may take a millisecond, which others need not wait for. */
  async remove(id: string): Promise<void> {
    await rm(this.#directory(id), { recursive: true, force: true });
  }

  /** The socket of a monitor that was killed; others take theirs with them. */
  removeExec(id: string): void {
    rmSync(this.execSocket(id), { force: true });
  }

  /** Removes the files of all tasks but the ones named. */
  async sweep(keep: ReadonlySet<string>): Promise<void> {
    const kept = new Set([...keep].map((id) => id.slice(0, idLength)));
    for (const name of readdirSync(this.#containers)) {
      if (!kept.has(name)) await this.remove(name);
    }
  }

  /** Removes the sockets of execs on which no monitor answers. */
  async sweepExecs(answers: (socket: string) => Promise<boolean>): Promise<void> {
    for (const name of readdirSync(this.#execs)) {
      const path = join(this.#execs, name);
      if (!(await answers(path))) rmSync(path, { force: true });
    }
  }

  #directory(id: string): string {
    return join(this.#containers, id.slice(0, idLength));
  }
}
