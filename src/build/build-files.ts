import { Fault, Scope } from "#base";
import type { StoredLayer } from "#content";
import { parseIgnoreFile } from "#dockerfile";
import type { Fd, Mount } from "#kernel";
import type { Snapshotter } from "#snapshot";
import type { BuildContext, BuildRequest } from "./contract.ts";
import type { Operation, Source } from "./operation.ts";
import type { SourceFiles } from "./source-files.ts";

/** A file system that only the engine sees, until it is disposed of. */
export interface PrivateMount extends AsyncDisposable {
  readonly path: string;
  readonly root: Fd;
}

/** How files of stages and images are reached. */
interface FileParts {
  readonly snapshots: Snapshotter;
  readonly mount: (mounts: readonly Mount[]) => Promise<PrivateMount>;
  readonly layersOf: (operation: Operation) => Promise<readonly StoredLayer[]>;
}

/** The files that one build reads: each stage and image is mounted once, until this is disposed of. */
export class BuildFiles implements AsyncDisposable {
  readonly #parts: FileParts;
  readonly #request: Pick<BuildRequest, "context" | "contexts" | "ignore">;
  readonly #ignore: readonly string[];
  readonly #stacks = new Map<string, Promise<SourceFiles>>();
  readonly #scope = new Scope();

  constructor(parts: FileParts, request: Pick<BuildRequest, "context" | "contexts" | "ignore">) {
    this.#parts = parts;
    this.#request = request;
    this.#ignore = request.ignore === undefined ? [] : parseIgnoreFile(request.ignore);
  }

  async of(source: Source): Promise<SourceFiles> {
    if (source.kind === "context") return this.#context(source.name);
    const layers = await this.#parts.layersOf(source);
    const chain = layers.at(-1)?.chainId ?? "";
    let stack = this.#stacks.get(chain);
    if (!stack) {
      stack = this.#mounted(layers);
      this.#stacks.set(chain, stack);
    }
    return await stack;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#stacks.values());
    await this.#scope[Symbol.asyncDispose]();
  }

  #context(name: string): SourceFiles {
    const { directory, memo, identity } = this.#contextNamed(name);
    return { directory, ignore: this.#ignore, isClients: true, memo, identity };
  }

  #contextNamed(name: string): BuildContext {
    const { context, contexts } = this.#request;
    if (name === "" && context) return context;
    const given = contexts?.get(name);
    if (given?.kind === "directory") return given.context;
    const which = name === "" ? "no context" : `no context "${name}"`;
    throw new Fault("invalid", `the build has ${which} to take files from`, { about: name });
  }

  async #mounted(layers: readonly StoredLayer[]): Promise<SourceFiles> {
    const chain = layers.at(-1)?.chainId;
    const mounts = chain === undefined ? [] : this.#parts.snapshots.plannedView(chain);
    const mounted = this.#scope.use(await this.#parts.mount(mounts));
    const files = { directory: mounted.path, ignore: [], isClients: false };
    return chain === undefined ? files : { ...files, identity: chain };
  }
}
