import { randomUUID } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { makePrivateDirectory, removeTree } from "#kernel";
import { checkOut, commitOf } from "./git-repository.ts";
import type { RemotePart } from "./key.ts";
import type { GitSource, RemoteSource } from "./operation.ts";
import { download, type RemoteVersion } from "./remote-file.ts";

/** How many files of the web are remembered by what their servers call their version. */
const maxKnown = 1024;

/** Fetches the remote sources of ADD. Nothing of them stays behind a build, or a crash. */
export class RemoteSources {
  readonly #root: string;
  readonly #known = new Map<string, RemoteVersion>();

  /** @param root a directory of its own; what is in it goes */
  constructor(root: string) {
    this.#root = root;
    rmSync(root, { recursive: true, force: true });
    makePrivateDirectory(root);
  }

  /** The sources of one build, each fetched once. */
  open(signal: AbortSignal): BuildRemotes {
    return new BuildRemotes({ root: join(this.#root, randomUUID()), known: this, signal });
  }

  get(url: string): RemoteVersion | undefined {
    return this.#known.get(url);
  }

  remember(url: string, version: RemoteVersion): void {
    this.#known.delete(url);
    if (version.tag === "") return;
    this.#known.set(url, version);
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxKnown && oldest !== undefined) this.#known.delete(oldest);
  }
}

/** Where the files of a remote source are. */
export interface RemoteFiles {
  readonly directory: string;
  /** From there on, absolute and without wildcards. */
  readonly path: string;
}

/** The remote sources of one build; their files go when it is disposed of. */
export class BuildRemotes implements AsyncDisposable {
  readonly #root: string;
  readonly #known: RemoteSources;
  readonly #signal: AbortSignal;
  readonly #contents = new Map<string, Promise<string>>();
  readonly #files = new Map<string, Promise<RemoteFiles>>();
  #made = 0;

  constructor(parts: { root: string; known: RemoteSources; signal: AbortSignal }) {
    this.#root = parts.root;
    this.#known = parts.known;
    this.#signal = parts.signal;
  }

  /** What names the content: a digest, or the commit of a repository. A checksum tells it without asking anyone. */
  async contentOf({ from }: RemotePart): Promise<string> {
    return await once(this.#contents, from, () =>
      from.kind === "git" ? commitOf(from, this.#signal) : this.#digestOf(from),
    );
  }

  /** The files of a source, fetched when they are not here yet. */
  async filesOf(part: RemotePart): Promise<RemoteFiles> {
    const { from } = part;
    if (from.kind === "remote") return await this.#file(from);
    return await once(this.#files, from, () => this.#repository(part, from));
  }

  async #digestOf(source: RemoteSource): Promise<string> {
    const { url, checksum } = source;
    if (checksum !== undefined) return checksum;
    const known = this.#known.get(url);
    const directory = this.#newDirectory();
    const version = await download(source, { directory, known }, this.#signal);
    if (version === known) return version.digest;
    this.#known.remember(url, version);
    this.#files.set(nameOf(source), Promise.resolve(fileIn(directory, source)));
    return version.digest;
  }

  async #file(source: RemoteSource): Promise<RemoteFiles> {
    return await once(this.#files, source, async () => {
      const directory = this.#newDirectory();
      this.#known.remember(source.url, await download(source, { directory }, this.#signal));
      return fileIn(directory, source);
    });
  }

  async #repository(part: RemotePart, source: GitSource): Promise<RemoteFiles> {
    const commit = await this.contentOf(part);
    const directory = join(this.#newDirectory(), "files");
    await checkOut(source, { commit, directory, signal: this.#signal });
    return { directory, path: `/${literal(source.directory)}` };
  }

  #newDirectory(): string {
    const path = join(this.#root, String(++this.#made));
    mkdirSync(path, { recursive: true, mode: 0o700 });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#contents.values(), ...this.#files.values()]);
    await removeTree(this.#root);
  }
}

function fileIn(directory: string, { fileName }: RemoteSource): RemoteFiles {
  return { directory, path: `/${literal(fileName)}` };
}

/** A name for a pattern that stands for it alone. */
function literal(name: string): string {
  return name.replace(/[*?[\\]/g, "\\$&");
}

const nameOf = (source: RemoteSource | GitSource) => JSON.stringify(source);

async function once<T>(
  known: Map<string, Promise<T>>,
  source: RemoteSource | GitSource,
  make: () => Promise<T>,
): Promise<T> {
  const name = nameOf(source);
  const there = known.get(name);
  if (there) return await there;
  const made = make();
  known.set(name, made);
  return await made;
}
