import { isFault } from "#base";
import {
  type Fd,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";
import { pathOf } from "./whiteout.ts";

const maxOpen = 64;

/**
 * Directories below a root as O_PATH descriptors, the latest 64 kept open. Symbolic links on the
 * way are followed inside the root and never out of it (openat2(2), RESOLVE_IN_ROOT). Code that
 * replaces a directory or a link must call `forget`.
 */
export class DirectoryCache implements Disposable {
  readonly #root: Fd;
  readonly #open = new Map<string, Fd>();
  #retired: Fd[] = [];

  constructor(root: Fd) {
    this.#root = root;
  }

  /**
   * The directory at a path of components joined by "/", or undefined when it is missing. Valid
   * until 64 others were asked for.
   */
  get(path: string): Fd | undefined {
    if (path === "") return this.#root;
    const known = this.#open.get(path);
    if (known) {
      this.#open.delete(path);
      this.#open.set(path, known);
      return known;
    }
    let fd: Fd;
    try {
      fd = openat2(this.#root, pathOf(path), {
        flags: O_PATH | O_DIRECTORY,
        resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
      });
    } catch (error) {
      if (isFault(error) && (error.errno === "ENOENT" || error.errno === "ENOTDIR"))
        return undefined;
      throw error;
    }
    this.#keep(path, fd);
    return fd;
  }

  /** The directory just made at a path, by its name in the one above: no need to walk the path again. */
  enter(path: string, above: Fd, name: string | Uint8Array): Fd {
    const fd = openat2(above, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW });
    this.#keep(path, fd);
    return fd;
  }

  /** Names may lead elsewhere now. Descriptors in use stay valid until the next call. */
  forget(): void {
    for (const fd of this.#retired) fd.close();
    this.#retired = [...this.#open.values()];
    this.#open.clear();
  }

  #keep(path: string, fd: Fd): void {
    this.#open.set(path, fd);
    if (this.#open.size <= maxOpen) return;
    const [oldest] = this.#open.keys();
    if (oldest !== undefined) this.#close(oldest);
  }

  #close(path: string): void {
    this.#open.get(path)?.close();
    this.#open.delete(path);
  }

  [Symbol.dispose](): void {
    this.forget();
    this.forget();
  }
}
