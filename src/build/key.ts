import { isFault } from "#base";
import { DockerfileFault, IgnoreMatcher } from "#dockerfile";
import { sha256 } from "#image";
import { digestFiles } from "#layer";
import type { Base, CopyOperation, CopyPart, Operation, RunMount, Source } from "./operation.ts";
import { type SourceFiles, selectionOf } from "./source-files.ts";

/** The key of an operation, and what it was made of: field to value, or to a digest of it. */
export interface OperationKey {
  readonly key: string;
  readonly parts: Readonly<Record<string, string>>;
  /** "PATH NUL DIGEST newline" for each file that counts; nothing unless asked for. */
  readonly files: Uint8Array;
}

/** What keys are made from beside the operations themselves. */
export interface KeyScope {
  /** The chain id of an operation's layers; "" for no layers. */
  readonly chainOf: (base: Base) => Promise<string>;
  /** The files of a source, until the build is over. */
  readonly filesOf: (source: Source) => Promise<SourceFiles>;
  /** What names the content of a file from the web or of a repository. */
  readonly contentOf: (part: RemotePart) => Promise<string>;
  /** Whether the digests of files are wanted, to explain later what has changed. */
  readonly isListed: boolean;
  readonly signal: AbortSignal;
}

/** A source of ADD that is not here. */
export type RemotePart = Extract<CopyPart, { readonly kind: "remote" | "git" }>;

/** How many digests of parts of images and stages are kept. */
const maxKnown = 4096;

/**
 * Makes the keys of operations from their content: their own fields without what is only shown, the
 * chain id of what is below, and the files that they read. Never from times, and not from proxies or
 * the values of secrets.
 */
export class KeyMaker {
  readonly #known = new Map<string, string>();

  /** A `DockerfileFault` in BuildKit's words for a source that is missing. */
  async keyOf(operation: Operation, scope: KeyScope): Promise<OperationKey> {
    const parts: Record<string, string> = {};
    const lists: Uint8Array[] = [];
    for (const [field, value] of Object.entries(ownFields(operation))) {
      parts[field] = typeof value === "string" ? value : JSON.stringify(value);
    }
    if (operation.kind !== "image" && !(operation.kind === "copy" && operation.isLink)) {
      parts.base = await scope.chainOf(operation.base);
    }
    if (operation.kind === "copy") await this.#addCopy(operation, { scope, parts, lists });
    if (operation.kind === "run") {
      for (const [index, mount] of operation.mounts.entries()) {
        const content = await this.#mountContent(mount, operation, scope);
        if (content !== undefined) parts[`mount ${index}`] = content;
      }
    }
    return { key: sha256(JSON.stringify(parts)), parts, files: Buffer.concat(lists) };
  }

  async #addCopy(operation: CopyOperation, into: Gathering): Promise<void> {
    const { scope, parts, lists } = into;
    const { exclude } = operation;
    for (const [index, part] of operation.parts.entries()) {
      const name = `source ${index}`;
      if (part.kind === "remote" || part.kind === "git") {
        parts[name] = await scope.contentOf(part);
      } else if (part.kind === "files" && part.from !== "scratch") {
        const wanted = { path: part.path, parents: part.parents, exclude };
        const { digest, files } = await this.#digest(part.from, { wanted, operation, scope });
        parts[name] = digest;
        if (files) lists.push(files);
      }
    }
  }

  /** Undefined for what has no content that counts. */
  async #mountContent(
    mount: RunMount,
    operation: Operation,
    scope: KeyScope,
  ): Promise<string | undefined> {
    if (mount.type !== "bind" && mount.type !== "cache") return undefined;
    const { from = "scratch", path } = mount;
    if (from === "scratch") return undefined;
    // All of an image is known by its layers, without reading it.
    if (path === "/" && from.kind !== "context") return await scope.chainOf(from);
    const literal = path.replace(/[*?[\\]/g, "\\$&");
    return (await this.#digest(from, { wanted: { path: literal }, operation, scope })).digest;
  }

  async #digest(
    source: Source,
    { wanted, operation, scope }: Wanted,
  ): Promise<{ readonly digest: string; readonly files?: Uint8Array }> {
    const found = await scope.filesOf(source);
    const { memo, identity, ignore } = found;
    const selections = [selectionOf(found, wanted)];
    const name = identity === undefined ? undefined : JSON.stringify([identity, wanted, ignore]);
    const known = name === undefined || scope.isListed ? undefined : this.#known.get(name);
    if (known !== undefined) return { digest: known };
    const { isListed, signal } = scope;
    try {
      const made = await digestFiles({ selections, memo, isListed }, { signal });
      if (name !== undefined) this.#remember(name, made.digest);
      return made;
    } catch (error) {
      throw isFault(error, "not_found") ? missingSource(error, operation, found) : error;
    }
  }

  #remember(name: string, digest: string): void {
    this.#known.set(name, digest);
    const [oldest] = this.#known.keys();
    if (this.#known.size > maxKnown && oldest !== undefined) this.#known.delete(oldest);
  }
}

interface Gathering {
  readonly scope: KeyScope;
  readonly parts: Record<string, string>;
  readonly lists: Uint8Array[];
}

interface Wanted {
  readonly wanted: {
    readonly path: string;
    readonly parents?: string | undefined;
    readonly exclude?: readonly string[];
  };
  readonly operation: Operation;
  readonly scope: KeyScope;
}

/** The fields that decide what an operation does; what it reads comes in by its content. */
function ownFields(operation: Operation): Record<string, unknown> {
  const { name: _name, stage: _stage, range: _range, ignoresCache: _ignores, ...work } = operation;
  const { surroundings: _surroundings, ...own } = work;
  if (own.kind === "image") return own;
  const { base: _base, ...rest } = own;
  if (rest.kind === "directory") return rest;
  if (rest.kind === "copy") return { ...rest, parts: rest.parts.map(withoutSource) };
  const { proxy: _proxy, mounts, ...run } = rest;
  return { ...run, mounts: mounts.map(withoutSource) };
}

/** What decides beside the content: of a source from elsewhere the name that it gets, or what of it counts. */
function withoutSource<T extends CopyPart | RunMount>(each: T): Record<string, unknown> {
  if (!("from" in each)) return each as Record<string, unknown>;
  const { from, ...rest } = each;
  if (from === undefined || from === "scratch") return rest;
  if (from.kind === "remote") return { ...rest, fileName: from.fileName };
  if (from.kind !== "git") return rest;
  const { directory, keepsGitDirectory } = from;
  return { ...rest, directory, keepsGitDirectory };
}

/** In BuildKit's words, with the line of the .dockerignore that left the source out. */
function missingSource(
  fault: { readonly message: string; readonly about?: string | undefined },
  { range }: Operation,
  { ignore, isClients }: SourceFiles,
): DockerfileFault {
  const path = (fault.about ?? "").replace(/^\//, "");
  const pattern = isClients && path !== "" ? decidingPattern(ignore, path) : undefined;
  const ref = isClients ? "context" : "stage";
  const prefix = fault.message.startsWith("lstat ")
    ? ""
    : `failed to compute cache key: failed to calculate checksum of ref ${ref}: `;
  const what =
    pattern === undefined
      ? fault.message
      : `${JSON.stringify(fault.about)}: not found; ${JSON.stringify(pattern)} in .dockerignore excludes it`;
  return new DockerfileFault(`${prefix}${what}`, range ? [range] : []);
}

/** The last of the patterns that leaves a path out. */
function decidingPattern(ignore: readonly string[], path: string): string | undefined {
  if (!new IgnoreMatcher(ignore).ignores(path)) return undefined;
  return ignore.findLast(
    (each) => !each.startsWith("!") && new IgnoreMatcher([each]).ignores(path),
  );
}
