import { createHash, randomBytes } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory, removeTree } from "#kernel";
import type { LeasedDirectory } from "../build/solver.ts";
import type { ClientSession } from "../session/client-session.ts";
import { type DirectoryRequest, receiveDirectory } from "./receive-directory.ts";
import { ReceivedDirectory } from "./received-directory.ts";

const filesName = "files";

/** How many directories are kept for the next build of the same files. */
const maxKept = 16;

/** A copy that no build has now: a directory with the files, and what is known of them. */
interface Idle {
  readonly path: string;
  /** Absent after a start of the engine, and after a transfer that failed. */
  readonly directory?: ReceivedDirectory | undefined;
}

/**
 * The engine's copies of directories of clients. One is kept for each directory of each client, so
 * that files that did not change are not sent again; builds at the same time have one each. A copy
 * that a crash left half received is looked at anew, and completed by the next transfer.
 */
export class ReceivedDirectories {
  readonly #root: string;
  /** By key, in the order of their last use. */
  readonly #idle = new Map<string, Idle>();
  #isOpen = false;

  /** @param root a directory of its own, which is made when it is first needed */
  constructor(root: string) {
    this.#root = root;
  }

  /** Makes a copy equal to the client's directory; it is the caller's until that disposes of it. */
  async receive(session: ClientSession, request: DirectoryRequest): Promise<LeasedDirectory> {
    this.#open();
    const key = keyOf(session, request);
    const idle = this.#take(key);
    const directory = idle.directory ?? (await ReceivedDirectory.open(join(idle.path, filesName)));
    try {
      await receiveDirectory(session, directory, request);
    } catch (error) {
      directory[Symbol.dispose]();
      await this.#giveBack(key, { path: idle.path });
      throw error;
    }
    return {
      directory: join(idle.path, filesName),
      memo: join(idle.path, "memo"),
      [Symbol.asyncDispose]: () => this.#giveBack(key, { path: idle.path, directory }),
    };
  }

  /** Removes all that no build has now. */
  async prune(): Promise<void> {
    this.#open();
    for (const [key, idle] of [...this.#idle]) {
      this.#idle.delete(key);
      await remove(idle);
    }
  }

  #open(): void {
    if (this.#isOpen) return;
    makePrivateDirectory(this.#root);
    for (const name of readdirSync(this.#root)) {
      const [key = ""] = name.split(".");
      this.#idle.set(key, { path: join(this.#root, name) });
    }
    this.#isOpen = true;
  }

  #take(key: string): Idle {
    const idle = this.#idle.get(key);
    this.#idle.delete(key);
    if (idle) return idle;
    const path = join(this.#root, `${key}.${randomBytes(6).toString("hex")}`);
    mkdirSync(join(path, filesName), { recursive: true });
    // Steps of any user see it as a mount; what is above it is closed.
    chmodSync(join(path, filesName), 0o755);
    return { path };
  }

  async #giveBack(key: string, idle: Idle): Promise<void> {
    // Of two builds at the same time, the copy of the one that ends first is kept.
    if (this.#idle.has(key)) return await remove(idle);
    this.#idle.set(key, idle);
    const [oldest] = this.#idle;
    if (this.#idle.size <= maxKept || !oldest) return;
    this.#idle.delete(oldest[0]);
    await remove(oldest[1]);
  }
}

async function remove({ path, directory }: Idle): Promise<void> {
  directory?.[Symbol.dispose]();
  await removeTree(path);
}

/** Clients that say no key have nothing in common with another session. */
function keyOf({ id, sharedKey }: ClientSession, { name, purpose = "" }: DirectoryRequest): string {
  const whose = sharedKey === "" ? ["session", id] : ["shared", sharedKey];
  return createHash("sha256")
    .update([...whose, name, purpose].join("\0"))
    .digest("hex")
    .slice(0, 32);
}
