import { Fault } from "#base";
import type { Base, Operation, RunOperation, Surroundings } from "./operation.ts";
import type { Plan } from "./plan.ts";

/** What of a plan an entry is looked for in. */
type EntryPlan = Pick<Plan, "operations" | "result" | "platform" | "image">;

/**
 * The step that words name, to be entered. RUN is entered in its place, with its mounts; of other
 * steps, and of a stage, what they have made.
 *
 *     ""         the end of the target
 *     3          the third step of the target, as progress counts: "[3/5]"
 *     build/3    that of the stage "build"
 *     build      the end of a stage
 *     line:12    the step whose instruction stands there
 *
 * `not_found` for what is not among the steps of this build.
 */
export function findEntry(plan: EntryPlan, words: string): RunOperation {
  const { operations, result } = plan;
  if (words === "") return behind(plan, result, finalSurroundings(plan));
  const [, line] = /^line:(\d+)$/.exec(words) ?? [];
  if (line !== undefined) {
    const number = Number(line);
    const at = operations.findLast(
      ({ range, stage }) =>
        range !== undefined && stage !== "" && range.start <= number && number <= range.end,
    );
    if (at) return entered(plan, at);
    const why = `no step of this build stands in line ${line}: name that of a FROM, RUN, COPY, ADD or WORKDIR of the target or of what it needs`;
    throw new Fault("not_found", why, { about: words });
  }
  const [, stage, count] = /^(?:(.+)\/)?(\d+)$/.exec(words) ?? [];
  const last = result === "scratch" ? "" : result.stage;
  const found =
    (count === undefined ? undefined : numbered(operations, stage ?? last, Number(count))) ??
    stageEnd(operations, words);
  if (found === undefined) throw missing(operations, words);
  return count === undefined || found.kind !== "run" ? behind(plan, found) : entered(plan, found);
}

/** By the number that its name tells. */
function numbered(
  operations: readonly Operation[],
  stage: string,
  count: number,
): Operation | undefined {
  return operations.find((each) => each.stage === stage.toLowerCase() && numberOf(each) === count);
}

function numberOf({ name }: Operation): number {
  return Number(/^\[(?:[^\]]* )?\s*(\d+)\/\d+\]/.exec(name)?.[1]);
}

function stageEnd(operations: readonly Operation[], name: string): Operation | undefined {
  return operations.findLast(({ stage }) => stage !== "" && stage === name.toLowerCase());
}

function entered(plan: EntryPlan, operation: Operation): RunOperation {
  return operation.kind === "run" ? operation : behind(plan, operation);
}

/** A RUN that would follow, with what the stage has there. */
function behind({ platform }: EntryPlan, base: Base, at = surroundingsOf(base)): RunOperation {
  const { name, stage } = base === "scratch" ? { name: "scratch", stage: "" } : base;
  const { env, cwd, user } = at;
  return {
    ...{ kind: "run", name, stage, ignoresCache: false, base, platform, argv: [] },
    ...{ env, cwd, user, proxy: [], mounts: [], network: "default", security: "sandbox" },
    hosts: [],
  };
}

const bare: Surroundings = { env: [], cwd: "/", user: "" };

function surroundingsOf(base: Base): Surroundings {
  if (base === "scratch") return bare;
  return base.kind === "run" ? base : (base.surroundings ?? bare);
}

/** As a container of the image would have it. */
function finalSurroundings({ image }: EntryPlan): Surroundings {
  const { Env: env = [], WorkingDir, User: user = "" } = image.config;
  return { env, cwd: WorkingDir || "/", user };
}

function missing(operations: readonly Operation[], words: string): Fault {
  const names = operations.filter(({ stage }) => stage !== "").map(({ name }) => name);
  const shown = names.slice(0, 20).join(", ");
  return new Fault(
    "not_found",
    `there is no step ${words} in this build; name a number, STAGE/NUMBER, a STAGE or line:NUMBER of: ${shown}`,
    { about: words },
  );
}
