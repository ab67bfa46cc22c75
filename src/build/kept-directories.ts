import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory, removeTree } from "#kernel";

/** How many directories are kept for later builds. */
const maxIdle = 16;

/** The copy of a client's directory, which is the holder's until it disposes of this. */
export interface KeptDirectory extends AsyncDisposable {
  /** Absolute; steps of any user see it. */
  readonly directory: string;
  /** A file beside it, for digests of the files. */
  readonly memo: string;
  /**
   * What the last holder knew of the files, for the next one; it goes when the copy does, and with this
   * program. Who changes files says first that nothing is known.
   */
  known: Disposable | undefined;
}

/**
 * Copies of clients' directories, kept between builds, so that a client sends only what has changed.
 * A key names the client's directory; builds of the same one at the same time have a copy each.
 */
export class KeptDirectories {
  readonly #root: string;
  /** Those that no build has, that used longest ago first, with what is known of each. */
  readonly #idle = new Map<string, Disposable | undefined>();
  readonly #used = new Set<string>();

  /** @param root a directory of its own, made if it is missing */
  constructor(root: string) {
    this.#root = root;
    makePrivateDirectory(root);
    const names = readdirSync(root).filter((name) => /^[0-9a-f]{32}-\d+$/.test(name));
    const time = (name: string) => statSync(join(root, name)).mtimeMs;
    for (const name of names.toSorted((a, b) => time(a) - time(b))) this.#idle.set(name, undefined);
  }

  /** The copy for a key that was used last, or a new and empty one. */
  take(key: string): KeptDirectory {
    const id = createHash("sha256").update(key).digest("hex").slice(0, 32);
    const idle = [...this.#idle.keys()].findLast((name) => name.startsWith(`${id}-`));
    const name = idle ?? this.#newName(id);
    const known = this.#idle.get(name);
    this.#idle.delete(name);
    this.#used.add(name);
    const directory = join(this.#root, name, "files");
    mkdirSync(directory, { recursive: true });
    // Steps of any user see it as a mount; what is above it is closed.
    chmodSync(directory, 0o755);
    const release = (left: Disposable | undefined) => this.#release(name, left);
    return {
      ...{ directory, memo: `${directory}.memo`, known },
      async [Symbol.asyncDispose]() {
        await release(this.known);
      },
    };
  }

  /** Removes the copies that no build has. */
  async prune(): Promise<void> {
    for (const name of [...this.#idle.keys()]) await this.#remove(name);
  }

  #newName(id: string): string {
    for (let number = 0; ; number++) {
      const name = `${id}-${number}`;
      if (!this.#used.has(name) && !this.#idle.has(name)) return name;
    }
  }

  async #release(name: string, known: Disposable | undefined): Promise<void> {
    this.#used.delete(name);
    this.#idle.set(name, known);
    const [oldest] = this.#idle.keys();
    if (this.#idle.size > maxIdle && oldest !== undefined) await this.#remove(oldest);
  }

  async #remove(name: string): Promise<void> {
    // Nobody may take it, or its name, while it goes.
    this.#idle.get(name)?.[Symbol.dispose]();
    this.#idle.delete(name);
    this.#used.add(name);
    try {
      await removeTree(join(this.#root, name));
    } finally {
      this.#used.delete(name);
    }
  }
}
