import { Scope } from "#base";
import type { StoredLayer } from "#content";
import type { ChainId } from "#image";
import type { Operation, RunOperation } from "./operation.ts";
import { placeStep, privateSnapshot, type RunContext, type RunParts } from "./run-step.ts";
import type { StepProgram, StepSandbox } from "./step-runner.ts";

/** A step of a build under way, for programs that somebody runs in its place. */
export interface EnteredStep {
  /** "[2/2] RUN make"; of a stage's end, that of its last step. */
  readonly name: string;
  /** What RUN executes; without an argument for a step that is none. */
  readonly program: StepProgram;
  readonly operation: RunOperation;
  /** Its command has failed, and what it left can be seen. */
  readonly hasFailed: boolean;
  /**
   * Its root, mounts, secrets and network. Each time there is a new copy of the files, which goes
   * with it; of cache mounts there is none. `isInitial`: as they were before the command that failed.
   */
  open(options?: { readonly isInitial?: boolean }): Promise<EnteredSandbox>;
}

/** A place in which a step's programs are started. */
export interface EnteredSandbox extends StepSandbox {
  /** The variables of a program: those of the step, and those that are secrets. */
  readonly env: readonly string[];
}

/** What a step is entered with. */
interface EntryParts extends RunParts {
  readonly layersOf: (base: Operation | "scratch") => Promise<readonly StoredLayer[]>;
  readonly context: RunContext;
}

/** A step as its build can show it; `failed`: the files that its command has left. */
export function enteredStep(
  parts: EntryParts,
  operation: RunOperation,
  failed?: ChainId,
): EnteredStep {
  const { name, argv, env, cwd, user } = operation;
  return {
    ...{ name, operation, hasFailed: failed !== undefined, program: { argv, env, cwd, user } },
    open: async ({ isInitial = false } = {}) => {
      await using scope = new Scope();
      const before = async () => (await parts.layersOf(operation.base)).at(-1)?.chainId;
      const chain = isInitial || failed === undefined ? await before() : failed;
      const snapshot = await privateSnapshot(parts, chain, scope);
      const placed = await placeStep(parts, operation, {
        ...{ snapshot, scope, context: parts.context },
      });
      const sandbox = scope.use(await parts.runner.open(placed.place));
      const owned = scope.release();
      return {
        env: placed.env,
        start: (program) => sandbox.start(program),
        [Symbol.asyncDispose]: () => owned.disposeAsync(),
      };
    },
  };
}

/** The files of a result, for programs that change a copy of them. */
export async function openResult(
  parts: Pick<RunParts, "snapshots" | "runner">,
  layers: readonly StoredLayer[],
  { network = "default" }: { readonly network?: string | undefined },
): Promise<StepSandbox> {
  await using scope = new Scope();
  const snapshot = await privateSnapshot(parts, layers.at(-1)?.chainId, scope);
  const place = { snapshot, mounts: [], hosts: [], isPrivileged: false, limits: {} };
  const own = { network, hostname: "buildkitsandbox" };
  const sandbox = scope.use(await parts.runner.open({ ...place, ...own }));
  const owned = scope.release();
  return {
    start: (program) => sandbox.start(program),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
