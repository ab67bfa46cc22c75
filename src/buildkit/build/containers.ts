import { randomBytes } from "node:crypto";
import { Fault } from "#base";
import type { EnteredStep, StepSandbox } from "#engine";
import type { NewContainerRequest } from "../protobuf/exec-messages.ts";
import type { Value } from "../protobuf/message.ts";
import type { Solutions } from "./solutions.ts";

type ContainerRequest = Value<typeof NewContainerRequest>;

/** A container of a client: the place of a step, or the files of a result. */
export interface OpenContainer extends StepSandbox {
  /** Variables of its programs, unless they have others of these names. */
  readonly env: readonly string[];
}

/** A build has no more at a time. */
const maxContainers = 64;
/** In an id, for the files as they were before a step's command. */
const initial = ".initial";
const networks = [undefined, "host", "none"] as const;

/** The containers that the client of one build makes, and the steps of which they can be made. */
export class Containers {
  readonly #open = new Map<string, Promise<OpenContainer>>();
  readonly #steps = new Map<string, EnteredStep>();

  /** The ids of a step's files: as its command left them, and as they were before. */
  offer(step: EnteredStep): { readonly left: string; readonly initial: string } {
    const left = `step-${randomBytes(16).toString("hex")}`;
    this.#steps.set(left, step);
    return { left, initial: left + initial };
  }

  /** `not_found` for files that are not offered, `unsupported` for a container with other mounts than the step has. */
  async create(request: ContainerRequest, solutions: Solutions): Promise<void> {
    const { containerId: id } = request;
    if (id === "" || this.#open.has(id))
      throw new Fault("exists", `container ${id} already exists`, { about: id });
    if (this.#open.size >= maxContainers)
      throw new Fault("exhausted", `a build has no more than ${maxContainers} containers`);
    const opened = this.#make(request, solutions);
    opened.catch(() => this.#open.delete(id));
    this.#open.set(id, opened);
    await opened;
  }

  async get(id: string): Promise<OpenContainer> {
    const found = this.#open.get(id);
    if (!found) throw new Fault("not_found", `container ${id} not found`, { about: id });
    return await found;
  }

  /** Ends all that runs in it; nothing of its files stays. */
  async release(id: string): Promise<void> {
    const container = await this.get(id);
    this.#open.delete(id);
    await container[Symbol.asyncDispose]();
  }

  /** Releases all, and takes the steps back. */
  async close(): Promise<void> {
    this.#steps.clear();
    const open = [...this.#open.values()];
    this.#open.clear();
    for (const container of await Promise.allSettled(open)) {
      if (container.status === "fulfilled") await container.value[Symbol.asyncDispose]();
    }
  }

  async #make(
    { mounts, network: mode }: ContainerRequest,
    solutions: Solutions,
  ): Promise<OpenContainer> {
    const root = mounts.find(({ dest }) => dest === "/");
    if (!root || root.resultId === "")
      throw new Fault("unsupported", "a container without the files of a result is not supported");
    const { resultId: ref } = root;
    const step = this.#steps.get(ref.replace(initial, ""));
    if (step) {
      if (mounts.length !== mountedOf(step).length + 1)
        throw new Fault("unsupported", "a step with other mounts than its own is not supported");
      return await step.open({ isInitial: ref.endsWith(initial) });
    }
    if (mounts.length > 1)
      throw new Fault("unsupported", "mounts in the files of a result are not supported");
    const { solution, image } = solutions.image(ref);
    const sandbox = await solution.open(image, networks[mode]);
    return {
      env: [],
      start: (program) => sandbox.start(program),
      [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
    };
  }
}

/** The mounts of RUN that are told to clients: a secret may be a variable alone. */
export function mountedOf({ operation }: Pick<EnteredStep, "operation">) {
  return operation.mounts.filter(({ target }) => target !== undefined);
}
