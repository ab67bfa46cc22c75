import { readdirSync } from "node:fs";
import { type ContainerId, newId, Scope } from "#base";
import type { Content, Lease, StoredImage, StoredLayer } from "#content";
import { type ChainId, sha256 } from "#image";
import type { Mount } from "#kernel";
import type { Snapshotter } from "#snapshot";
import type { BuildFiles, PrivateMount } from "./build-files.ts";
import type { CacheMounts } from "./cache-mounts.ts";
import type { BuildRequest } from "./contract.ts";
import { copyStep } from "./copy-step.ts";
import { crashPoint } from "./crash-point.ts";
import { makeDirectory } from "./directory-step.ts";
import { type EnteredStep, enteredStep } from "./entered-step.ts";
import type { KeyMaker, OperationKey } from "./key.ts";
import type { WantedImage } from "./named-context.ts";
import type { CopyOperation, DirectoryOperation, Operation, RunOperation } from "./operation.ts";
import type { BuildRemotes } from "./remote-sources.ts";
import { type RunContext, runStep } from "./run-step.ts";
import type { Carrier, Solved, StepRun } from "./solver.ts";
import { ProcessFault } from "./step-fault.ts";
import type { StepRunner } from "./step-runner.ts";

/** What operations are carried out with. */
export interface CarrierParts {
  readonly content: Content;
  readonly snapshots: Snapshotter;
  readonly runner: StepRunner;
  readonly cacheMounts: CacheMounts;
  readonly keys: KeyMaker;
  /** Mounts where nobody but the engine looks; a crash leaves what the next start removes. */
  readonly mount: (mounts: readonly Mount[]) => Promise<PrivateMount>;
}

/** One build. */
export interface CarrierBuild {
  readonly request: BuildRequest;
  /** Nanoseconds since 1970: no file that a step makes is later. */
  readonly epoch: bigint;
  readonly lease: Lease;
  /** The files of sources, given the layers of operations. */
  readonly files: (
    layersOf: (operation: Operation) => Promise<readonly StoredLayer[]>,
  ) => BuildFiles;
  readonly remotes: BuildRemotes;
  readonly imageOf: (image: WantedImage) => Promise<Pick<StoredImage, "layers">>;
  readonly now: () => bigint;
  /** Whether the files of a RUN that fails are kept until the build is over, for who enters it. */
  readonly keepsFailed: boolean;
}

/** Carries the operations of one build out. */
export class BuildCarrier implements Carrier {
  readonly #parts: CarrierParts;
  readonly #build: CarrierBuild;
  readonly #solve: (operation: Operation) => Promise<Solved>;
  readonly #files: BuildFiles;
  #failed: { readonly operation: RunOperation; readonly chain: ChainId } | undefined;

  constructor(
    parts: CarrierParts,
    build: CarrierBuild,
    solve: (operation: Operation) => Promise<Solved>,
  ) {
    this.#parts = parts;
    this.#build = build;
    this.#solve = solve;
    this.#files = build.files((source) => this.#layersOf(source));
  }

  async known(operation: Operation): Promise<Solved | undefined> {
    if (operation.kind !== "image") return undefined;
    const { layers } = await this.#build.imageOf(operation);
    for (const { blob, chainId } of layers) {
      this.#build.lease.holdBlob(blob.digest);
      this.#build.lease.holdLayer(chainId);
    }
    return { layers, hasLayer: layers.length > 0 };
  }

  keyOf(operation: Operation): Promise<OperationKey> {
    const { signal } = this.#build.request;
    return this.#parts.keys.keyOf(operation, {
      chainOf: async (base) => (await this.#layersOf(base)).at(-1)?.chainId ?? "",
      filesOf: (source) => this.#files.of(source),
      contentOf: (part) => this.#build.remotes.contentOf(part),
      isListed: false,
      signal,
    });
  }

  async below(operation: Operation): Promise<readonly StoredLayer[]> {
    return operation.kind === "image" ? [] : await this.#layersOf(operation.base);
  }

  standsAlone(operation: Operation): boolean {
    return operation.kind === "copy" && operation.isLink;
  }

  async carryOut(operation: Operation, run: StepRun): Promise<readonly StoredLayer[]> {
    if (operation.kind === "image") return [];
    const { snapshots } = this.#parts;
    await using scope = new Scope();
    // As a container's: the sweep after a crash takes it away.
    const key = newId<ContainerId>();
    await snapshots.prepare(key, run.below.at(-1)?.chainId, { volatile: true });
    scope.defer(async () => {
      if (snapshots.stat(key)) await snapshots.remove(key);
    });
    crashPoint("build:step-prepared");
    if (operation.kind === "run") await this.#runOrKeep(operation, key, run);
    else if (operation.kind === "directory") await this.#directory(operation, key);
    else await this.#copy(operation, key, run);
    crashPoint("build:step-carried-out");
    return await this.#commit(key, run);
  }

  /** A step of this build whose command failed. */
  get failed(): EnteredStep | undefined {
    return this.#failed && this.enter(this.#failed.operation, this.#failed.chain);
  }

  /** A step whose inputs are solved; `left` are the files that its command left when it failed. */
  enter(operation: RunOperation, left?: ChainId): EnteredStep {
    const { signal } = this.#build.request;
    const context = this.#context({ signal, onOutput: () => undefined });
    const layersOf = (base: Operation | "scratch") => this.#layersOf(base);
    return enteredStep({ ...this.#parts, layersOf, context }, operation, left);
  }

  async #runOrKeep(operation: RunOperation, snapshot: string, run: StepRun): Promise<void> {
    try {
      await this.#run(operation, snapshot, run);
    } catch (error) {
      if (this.#build.keepsFailed && error instanceof ProcessFault)
        await this.#keep(operation, snapshot, run);
      throw error;
    }
  }

  /** As a layer that has no content of its own: nothing but this build knows its name. */
  async #keep(operation: RunOperation, snapshot: string, { below }: StepRun): Promise<void> {
    const chain = sha256(snapshot) as string as ChainId;
    this.#build.lease.holdLayer(chain);
    const parent = below.at(-1)?.chainId;
    await this.#parts.snapshots.commit(chain, snapshot, { size: 0, parent });
    crashPoint("build:failed-step-kept");
    this.#failed ??= { operation, chain };
  }

  async #run(operation: RunOperation, snapshot: string, run: StepRun): Promise<void> {
    const { now } = this.#build;
    await using scope = new Scope();
    const context = this.#context({
      onOutput: (stream, data) => run.report({ kind: "log", stream, data, time: now() }),
      signal: run.signal,
    });
    await runStep(this.#parts, operation, { snapshot, scope, context });
  }

  #context({ onOutput, signal }: Pick<RunContext, "onOutput" | "signal">): RunContext {
    const { secrets, agents, limits = {}, network = "default" } = this.#build.request;
    return {
      layersOf: (source) => this.#layersOf(source),
      filesOf: (source) => this.#files.of(source),
      ...{ secrets, agents, limits, network, onOutput, signal },
    };
  }

  async #copy(operation: CopyOperation, snapshot: string, run: StepRun): Promise<void> {
    const { snapshots, runner, mount } = this.#parts;
    const { chown } = operation;
    const owner = chown === "" ? undefined : await runner.ownerOf(snapshot, chown);
    await using mounted = await mount(await snapshots.mounts(snapshot));
    await copyStep(operation, {
      ...{ root: mounted.path, owner, signal: run.signal },
      filesOf: (source) => this.#files.of(source),
      remoteFilesOf: (part) => this.#build.remotes.filesOf(part),
      onProgress: (current) => run.report({ kind: "status", id: "copying", current }),
    });
  }

  async #directory(operation: DirectoryOperation, snapshot: string): Promise<void> {
    const { snapshots, runner, mount } = this.#parts;
    const { path, mode, user } = operation;
    const found = await snapshots.find(snapshot, path);
    if (found && (found.stat.mode & 0o170000) === 0o040000) return;
    const { uid, gid } = await runner.ownerOf(snapshot, user);
    await using mounted = await mount(await snapshots.mounts(snapshot));
    makeDirectory(mounted.root, { path, mode, uid, gid });
  }

  /** No layer where nothing has changed. */
  async #commit(key: string, { below, lease, signal }: StepRun): Promise<readonly StoredLayer[]> {
    const { content, snapshots } = this.#parts;
    if (readdirSync(snapshots.directory(key)).length === 0) return [];
    const latest = this.#build.epoch;
    return [await content.commitLayer({ key, below, latest, lease, signal })];
  }

  async #layersOf(source: Operation | "scratch"): Promise<readonly StoredLayer[]> {
    return source === "scratch" ? [] : (await this.#solve(source)).layers;
  }
}
