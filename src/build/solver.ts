import { defined, Fault, faultOf, isFault, Joined, Slots } from "#base";
import type { BlobSource, Content, Lease, StoredLayer } from "#content";
import { sha256 } from "#image";
import type { BuildEvent, LogEvent, StatusEvent, VertexEvent } from "./build-event.ts";
import type { CachedStep, CacheStore } from "./cache-store.ts";
import { crashPoint } from "./crash-point.ts";
import { whyRun } from "./explain.ts";
import type { ImportedCaches } from "./imported-caches.ts";
import type { OperationKey } from "./key.ts";
import { inputsOf, type Operation } from "./operation.ts";
import { ProcessFault, StepFault } from "./step-fault.ts";
import type { Vertex } from "./vertex.ts";

type StepKey = Pick<OperationKey, "key" | "parts">;

/** The result of an operation. */
export interface Solved {
  /** The whole stack, lowest first. */
  readonly layers: readonly StoredLayer[];
  /** Whether the operation has added a layer. */
  readonly hasLayer: boolean;
  /** Its key; absent for what has none, such as an image. */
  readonly key?: string;
}

/** The progress of a step while it is carried out, without saying of which one. */
export type StepProgress = Omit<LogEvent, "vertex"> | Omit<StatusEvent, "vertex">;

/** One time that an operation is carried out. */
export interface StepRun {
  /** Holds what is made until all who wait for it have it. */
  readonly lease: Lease;
  /** The layers below; none for an operation whose layer stands by itself. */
  readonly below: readonly StoredLayer[];
  readonly report: (progress: StepProgress) => void;
  readonly signal: AbortSignal;
}

/** What the solver is told of the operations of one build; it never learns what they do. */
export interface Carrier {
  /** The result of an operation that needs no work, such as an image's; undefined for others. */
  known(operation: Operation): Promise<Solved | undefined>;
  keyOf(operation: Operation): Promise<OperationKey>;
  /** What the operation's layers are put upon; "scratch" has none. */
  below(operation: Operation): Promise<readonly StoredLayer[]>;
  /** Whether the layers are made without those below. */
  standsAlone(operation: Operation): boolean;
  /** The layers that it adds, none when it changed nothing. */
  carryOut(operation: Operation, run: StepRun): Promise<readonly StoredLayer[]>;
}

/** A build, as the solver sees it. */
export interface SolverRun<C extends Carrier = Carrier> {
  readonly id: string;
  readonly vertices: ReadonlyMap<Operation, Vertex>;
  readonly carrier: (solve: (operation: Operation) => Promise<Solved>) => C;
  /** Holds all results until the build is over. */
  readonly lease: Lease;
  readonly report: (event: BuildEvent) => void;
  /** What builds elsewhere have left. */
  readonly imports: ImportedCaches;
  /** Tells of each step that runs why it does. */
  readonly explains: boolean;
  readonly now: () => bigint;
  readonly signal: AbortSignal;
}

/** The layers of a step that was just carried out, until all who waited for it have taken them. */
interface Made extends AsyncDisposable {
  readonly step: CachedStep;
}

/** Pieces of a step's output that a build is told which comes while it runs; a piece has 64 KiB at most. */
const toldLate = 64;

/** So many steps are carried out at once, over all builds. */
const maxSteps = 32;

/**
 * Carries the operations of builds out: those that do not depend on one another at the same time,
 * and each once, however many builds need it at the same moment. A result is in the cache before
 * anybody learns of it.
 */
export class Solver {
  readonly #content: Content;
  readonly #cache: CacheStore;
  readonly #running = new Joined<string, Made, StepProgress>(toldLate);
  readonly #slots = new Slots(maxSteps);

  constructor(parts: { readonly content: Content; readonly cache: CacheStore }) {
    this.#content = parts.content;
    this.#cache = parts.cache;
  }

  /** A build that solves nothing yet. */
  begin<C extends Carrier>(run: SolverRun<C>): Solving<C> {
    return new Graph(
      { content: this.#content, cache: this.#cache, running: this.#running, slots: this.#slots },
      run,
    );
  }
}

/** The operations of one build, solved as they are asked for. */
export interface Solving<C extends Carrier> {
  readonly carrier: C;
  /** The results of operations and of all that they need; the first failure stops the others. */
  solve(operations: readonly Operation[]): Promise<ReadonlyMap<Operation, Solved>>;
}

interface GraphParts {
  readonly content: Content;
  readonly cache: CacheStore;
  readonly running: Joined<string, Made, StepProgress>;
  readonly slots: Slots;
}

/** The operations of one build. */
class Graph<C extends Carrier> implements Solving<C> {
  readonly #parts: GraphParts;
  readonly #run: SolverRun<C>;
  readonly carrier: C;
  readonly #solved = new Map<Operation, Promise<Solved>>();
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #used = new Set<string>();
  readonly #held = new DisposableStack();

  constructor(parts: GraphParts, run: SolverRun<C>) {
    this.#parts = parts;
    this.#run = run;
    this.#signal = AbortSignal.any([run.signal, this.#stop.signal]);
    this.carrier = run.carrier((operation) => this.#solve(operation));
  }

  async solve(operations: readonly Operation[]): Promise<ReadonlyMap<Operation, Solved>> {
    for (const operation of operations) this.#report(operation, {});
    let first: unknown;
    const work = operations.map((operation) =>
      this.#solve(operation).catch((error: unknown) => {
        first ??= error;
        this.#stop.abort();
        throw error;
      }),
    );
    try {
      await Promise.allSettled(work);
      if (first !== undefined) throw first;
      this.#parts.cache.touch(this.#used);
      const results = new Map<Operation, Solved>();
      for (const operation of operations) results.set(operation, await this.#solve(operation));
      return results;
    } finally {
      this.#held.dispose();
    }
  }

  #solve(operation: Operation): Promise<Solved> {
    let solved = this.#solved.get(operation);
    if (!solved) {
      solved = this.#begin(operation);
      // Each failure is told by the operation itself.
      solved.catch(() => undefined);
      this.#solved.set(operation, solved);
    }
    return solved;
  }

  async #begin(operation: Operation): Promise<Solved> {
    await Promise.all(inputsOf(operation).map((input) => this.#solve(input)));
    this.#signal.throwIfAborted();
    const started = this.#run.now();
    try {
      const known = await this.carrier.known(operation);
      if (known) {
        this.#report(operation, { started, completed: this.#run.now(), cached: true });
        return known;
      }
      const key = await this.carrier.keyOf(operation);
      const found = operation.ignoresCache
        ? undefined
        : ((await this.#find(operation, key)) ?? (await this.#import(operation, key)));
      if (found) {
        this.#report(operation, { started, completed: this.#run.now(), cached: true });
        return found;
      }
      this.#report(operation, { started, ...this.#reason(operation, key) });
      const made = await this.#carryOut(operation, key);
      this.#report(operation, { started, completed: this.#run.now() });
      return made;
    } catch (error) {
      const fault = faultOf(error);
      this.#report(operation, { started, completed: this.#run.now(), error: fault.message });
      throw this.#located(operation, fault);
    }
  }

  /** A result of before, put over the layers below; undefined when it is not whole any more. */
  async #find(operation: Operation, { key }: OperationKey): Promise<Solved | undefined> {
    const step = this.#parts.cache.find(key);
    if (!step) return undefined;
    try {
      const found = await this.#place(operation, step, key);
      this.#use(key);
      return found;
    } catch (error) {
      if (isFault(error, "canceled")) throw error;
      return undefined;
    }
  }

  /**
   * A result that somebody else made; undefined when no cache has it, or not as it says. It is kept
   * under a name of its own, so that only builds that are given such a cache have it.
   */
  async #import(operation: Operation, { key, parts }: OperationKey): Promise<Solved | undefined> {
    const { imports } = this.#run;
    const found = await imports.find(key);
    if (!found) return undefined;
    const { layer, reader } = found;
    const own = sha256(JSON.stringify(["imported", key, layer?.diffId, layer?.blob.digest]));
    try {
      const known = this.#parts.cache.find(own);
      const layers = layer ? [{ ...layer, size: 0 }] : [];
      const solved = known
        ? await this.#place(operation, known, key)
        : await this.#place(operation, { layers }, key, reader);
      if (!known) {
        const placed = layer ? solved.layers.slice(-1) : [];
        const step = { layers: placed.map(cachedLayer), parts, description: operation.name };
        await this.#parts.cache.put(own, { ...step, places: placed.map(({ chainId }) => chainId) });
      }
      this.#use(own);
      return solved;
    } catch (error) {
      if (this.#signal.aborted) throw error;
      imports.warn(reader, error);
      return undefined;
    }
  }

  async #carryOut(operation: Operation, { key, parts }: StepKey): Promise<Solved> {
    const vertex = this.#vertexOf(operation).digest;
    // What is to run anew is nobody else's result.
    const shared = operation.ignoresCache ? `${key} ${this.#run.id}` : key;
    return await this.#parts.running.share(
      shared,
      {
        start: (signal, report) => this.#make(operation, { key, parts }, { signal, report }),
        onReport: (progress) => this.#run.report({ ...progress, vertex } as BuildEvent),
        signal: this.#signal,
      },
      async ({ step }) => {
        this.#use(key);
        return await this.#place(operation, step, key);
      },
    );
  }

  async #make(
    operation: Operation,
    { key, parts }: StepKey,
    { signal, report }: { signal: AbortSignal; report: (progress: StepProgress) => void },
  ): Promise<Made> {
    const { cache, content, slots } = this.#parts;
    using _slot = await slots.take(signal);
    const lease = content.lease();
    try {
      const isAlone = this.carrier.standsAlone(operation);
      const below = isAlone ? [] : await this.carrier.below(operation);
      const made = await this.carrier.carryOut(operation, { lease, below, report, signal });
      const layers = made.map(cachedLayer);
      const step = { layers, parts, description: operation.name };
      crashPoint("build:step-committed");
      await cache.put(key, { ...step, places: made.map(({ chainId }) => chainId) });
      crashPoint("build:step-recorded");
      return { step, [Symbol.asyncDispose]: () => lease[Symbol.asyncDispose]() };
    } catch (error) {
      await lease[Symbol.asyncDispose]();
      throw error;
    }
  }

  async #place(
    operation: Operation,
    { layers }: Pick<CachedStep, "layers">,
    key: string,
    source?: BlobSource,
  ): Promise<Solved> {
    const { lease } = this.#run;
    const below = await this.carrier.below(operation);
    const stack = [...below];
    for (const layer of layers) {
      const run = { layer, below: stack, source, lease, signal: this.#signal };
      stack.push(await this.#parts.content.placeLayer(run));
    }
    return { layers: stack, hasLayer: layers.length > 0, key };
  }

  #reason(operation: Operation, { parts }: StepKey): Pick<VertexEvent, "reason"> {
    if (!this.#run.explains) return {};
    if (operation.ignoresCache) return { reason: "the build does not use the cache for it" };
    return { reason: whyRun(parts, this.#parts.cache.alike(operation.name)) };
  }

  #use(key: string): void {
    if (this.#used.has(key)) return;
    this.#used.add(key);
    this.#held.use(this.#parts.cache.hold(key));
  }

  #report(operation: Operation, change: Partial<VertexEvent>): void {
    this.#run.report({ kind: "vertex", ...this.#vertexOf(operation), ...change });
  }

  #vertexOf(operation: Operation): Vertex {
    const vertex = this.#run.vertices.get(operation);
    if (!vertex) throw new Fault("internal", `the step ${operation.name} is of no plan`);
    return vertex;
  }

  #located(operation: Operation, cause: Fault): Fault {
    if (cause instanceof StepFault || cause.code === "canceled") return cause;
    const { digest: vertex } = this.#vertexOf(operation);
    const ranges = operation.range ? [operation.range] : [];
    const ended = cause instanceof ProcessFault ? cause : undefined;
    const { exitCode, command } = ended ?? {};
    return new StepFault({ cause, vertex, ranges, ...defined({ exitCode, command }) });
  }
}

/** A layer without its place in a stack. */
const cachedLayer = ({ diffId, blob, size }: StoredLayer) => ({ diffId, blob, size });
