import { Fault, faultOf } from "#base";
import type { BuildEvent } from "#engine";
import type { SolveRequest } from "../protobuf/control-messages.ts";
import type { Gateway } from "../protobuf/gateway-messages.ts";
import type { Value } from "../protobuf/message.ts";
import { Containers } from "./containers.ts";
import { ProgressLog } from "./progress-log.ts";
import { type ShownFile, statusOfMessage } from "./status-message.ts";
import type { OfferedStep } from "./step-error.ts";

/** What a client returned as the result of its build. */
export type Returned = Value<(typeof Gateway)["return"]["request"]>;

/** How long a call waits for the build that it belongs to: the client begins both at once. */
const patienceMs = 5_000;
const maxJobs = 1_000;

/** A build of a client, while its Solve lasts. */
export class Job {
  readonly ref: string;
  readonly request: Value<typeof SolveRequest>;
  readonly progress = new ProgressLog();
  /** The ids of the results that it keeps. */
  readonly results = new Set<string>();
  readonly containers = new Containers();
  /** The step that failed, while the client may enter it. */
  failed: OfferedStep | undefined;
  /** What the messages about lines are about, once it is read. */
  file: ShownFile | undefined;
  readonly #steps = new Map<string, Extract<BuildEvent, { readonly kind: "vertex" }>>();
  #warnings = 0;
  readonly #over = new AbortController();
  readonly #ended = Promise.withResolvers<void>();
  readonly #returned = Promise.withResolvers<Returned>();

  constructor(request: Value<typeof SolveRequest>) {
    this.request = request;
    this.ref = request.ref;
    this.#returned.promise.catch(() => undefined);
  }

  /** Aborted when the client has gone, or its Solve was answered. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Settles with the end of its Solve. */
  get over(): Promise<void> {
    return this.#ended.promise;
  }

  /** Adds to its progress. */
  tell(message: BuildEvent): void {
    if (message.kind === "vertex") this.#steps.set(message.digest, message);
    if (message.kind === "warning") this.#warnings += 1;
    const status = statusOfMessage(message, this.file);
    const size = message.kind === "log" ? message.data.length : 500;
    if (status) this.progress.add(status, size);
  }

  /** Of its steps until now, for the history. */
  counts() {
    const steps = [...this.#steps.values()];
    return {
      numTotalSteps: steps.length,
      numCompletedSteps: steps.filter(({ completed }) => completed !== undefined).length,
      numCachedSteps: steps.filter(({ cached }) => cached).length,
      numWarnings: this.#warnings,
    };
  }

  /** What is to be made of its result; clients of before BuildKit 0.13 ask for one alone. */
  outputs() {
    const { exporters, exporter, exporterAttrs } = this.request;
    if (exporters.length > 0) return exporters;
    return exporter === "" ? [] : [{ type: exporter, attrs: exporterAttrs }];
  }

  /** Ends the wait of Solve: the client says what its build came to. */
  return(returned: Returned): void {
    this.#returned.resolve(returned);
  }

  /** What the client returns; `canceled` when it goes before that. */
  async returned(): Promise<Returned> {
    return await this.#returned.promise;
  }

  /** Ends all that still runs for it; the first reason counts. */
  end(reason = new Fault("canceled", "context canceled")): void {
    this.#over.abort(reason);
    this.#ended.resolve();
    this.#returned.reject(reason);
    this.progress.end();
  }
}

/** The builds that are under way, by the reference that their clients gave them. */
export class Jobs {
  readonly #jobs = new Map<string, Job>();
  readonly #awaited = new Map<string, PromiseWithResolvers<Job>>();
  /** Of builds that ended a moment ago: the client of a short one may ask when all is over. */
  readonly #told = new Map<string, ProgressLog>();

  /** Runs a build; its job can be found meanwhile. `exists` when one of this reference runs. */
  async run<T>(job: Job, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const { ref } = job;
    if (ref === "") throw new Fault("invalid", "a build needs a reference");
    if (this.#jobs.has(ref)) throw new Fault("exists", `job ID ${ref} already exists`);
    if (this.#jobs.size >= maxJobs)
      throw new Fault("exhausted", `${maxJobs} builds are under way; try again later`);
    this.#jobs.set(ref, job);
    this.#told.delete(ref);
    this.#awaited.get(ref)?.resolve(job);
    const leave = () => job.end();
    signal.addEventListener("abort", leave, { once: true });
    if (signal.aborted) leave();
    try {
      return await work();
    } catch (error) {
      job.end(faultOf(error));
      throw error;
    } finally {
      signal.removeEventListener("abort", leave);
      job.end();
      this.#jobs.delete(ref);
      this.#remember(job);
    }
  }

  #remember({ ref, progress }: Job): void {
    this.#told.set(ref, progress);
    const forget = () => {
      if (this.#told.get(ref) === progress) this.#told.delete(ref);
    };
    setTimeout(forget, patienceMs).unref();
  }

  /** What the build of this reference says, also for a moment after its end; else as `get`. */
  async progress(ref: string): Promise<ProgressLog> {
    return this.#told.get(ref) ?? (await this.get(ref)).progress;
  }

  /** The build of this reference, once it has begun. `not_found` when it does not soon. */
  async get(ref: string): Promise<Job> {
    const job = this.#jobs.get(ref);
    if (job) return job;
    const waiting = this.#awaited.get(ref) ?? Promise.withResolvers<Job>();
    waiting.promise.catch(() => undefined);
    this.#awaited.set(ref, waiting);
    const timer = setTimeout(() => {
      waiting.reject(new Fault("not_found", `no such job ${ref}`, { about: ref }));
    }, patienceMs);
    try {
      return await waiting.promise;
    } finally {
      clearTimeout(timer);
      if (this.#awaited.get(ref) === waiting) this.#awaited.delete(ref);
    }
  }

  /** Ends all. */
  close(): void {
    for (const job of this.#jobs.values()) job.end();
  }
}
