import {
  type ContainerId,
  defined,
  type ExecId,
  Fault,
  faultOf,
  isFault,
  newId,
  Scope,
} from "#base";
import type { SandboxProcess, SandboxProgram, StepPlace, StepSandbox } from "#build";
import type { OciSpec } from "#runtime";
import type { Task, TaskProcess, TaskStdio, TaskStreams } from "#task";
import { describeStartFailure } from "../containers/start-failure.ts";
import { type OpenedPlace, openPlace, type StepParts, stepSpec } from "./step-place.ts";

/** Opens the place of a step for programs, in a container that is listed nowhere. */
export async function openSandbox(parts: StepParts, place: StepPlace): Promise<StepSandbox> {
  await using scope = new Scope();
  const opened = await openPlace(parts, place, scope);
  return new TaskSandbox(parts, opened, scope.release());
}

/** The first program is the container's own; others join it, as execs do. */
class TaskSandbox implements StepSandbox {
  readonly #parts: StepParts;
  readonly #opened: OpenedPlace;
  readonly #owned: AsyncDisposableStack;
  #first: Promise<Task> | undefined;
  #task: Task | undefined;

  constructor(parts: StepParts, opened: OpenedPlace, owned: AsyncDisposableStack) {
    this.#parts = parts;
    this.#opened = opened;
    this.#owned = owned;
  }

  async start(program: SandboxProgram): Promise<SandboxProcess> {
    const spec = await stepSpec(this.#parts, this.#opened, { ...program, terminal: program.tty });
    try {
      if (this.#first) return await this.#join(await this.#first, { program, spec });
      const begun = this.#begin(program, spec);
      this.#first = begun.then(({ task }) => task);
      this.#first.catch(() => undefined);
      const { task, streams } = await begun;
      return processOf(task, streams, program);
    } catch (error) {
      throw describeStartFailure(faultOf(error), program.argv[0] ?? "").fault;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#first?.catch(() => undefined);
    try {
      await this.#task?.killAll();
      await this.#task?.released;
    } finally {
      await this.#owned.disposeAsync();
    }
  }

  async #begin(
    program: SandboxProgram,
    spec: OciSpec,
  ): Promise<{ readonly task: Task; readonly streams: TaskStreams }> {
    const { tasks } = this.#parts;
    const { root, limits } = this.#opened;
    const id = newId<ContainerId>();
    this.#owned.defer(() => tasks.remove(id));
    const stdio = stdioOf(program);
    const input = { id, spec, root, stdio, init: true };
    const task = this.#owned.use(
      await tasks.create({ ...input, ...defined({ cgroupParent: limits.cgroupParent }) }),
    );
    const streams = await task.attach(streamsOf(program));
    await task.start();
    this.#task = task;
    return { task, streams };
  }

  async #join(
    task: Task,
    { program, spec }: { readonly program: SandboxProgram; readonly spec: OciSpec },
  ): Promise<SandboxProcess> {
    if (!spec.process) throw new Fault("internal", "the configuration of a step has no process");
    const { process, streams } = await task.exec({
      ...{ id: newId<ExecId>(), process: spec.process, stdio: stdioOf(program) },
      ...defined({ seccomp: spec.linux?.seccomp }),
      attach: streamsOf(program),
    });
    if (!streams) throw new Fault("internal", "a program was started without its streams");
    const joined = processOf(process, streams, program);
    return {
      ...joined,
      [Symbol.asyncDispose]: async () => {
        await joined[Symbol.asyncDispose]();
        await process[Symbol.asyncDispose]();
      },
    };
  }
}

function stdioOf({ tty, stdin, size }: SandboxProgram): TaskStdio {
  const { rows, columns } = size ?? {};
  const mode = tty ? "pty" : "pipes";
  return { mode, stdin, stdinOnce: stdin, ...defined({ rows, columns }) };
}

function streamsOf({ stdin }: SandboxProgram) {
  return { stdin, stdout: true, stderr: true };
}

function processOf(
  process: TaskProcess,
  { input, output }: TaskStreams,
  { tty }: SandboxProgram,
): SandboxProcess {
  return {
    ...{ input, output, tty, ended: process.exited },
    resize: async (size) => {
      if (tty) await process.resize(size);
    },
    kill: async (signal) => {
      await process.kill(signal).catch((error: unknown) => {
        if (!isFault(error, "not_found")) throw error;
      });
    },
    async [Symbol.asyncDispose]() {
      input.destroy();
      output.destroy();
    },
  };
}
