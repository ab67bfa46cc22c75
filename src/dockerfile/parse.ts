import { Fault } from "#base";
import { DockerfileFault, located } from "./fault.ts";
import type { Dockerfile, Instruction, Stage } from "./instruction.ts";
import { parseFrom, parseInstruction } from "./parse-instruction.ts";
import { readStatements, type Statement } from "./statement.ts";

/** Called for each part of a file as it is read, before what follows it. */
export interface ParseObserver {
  onEmptyContinuation(line: number): void;
  /** Called before the instruction's own rules are applied. */
  onStatement(statement: Statement): void;
  onStage(stage: Omit<Stage, "instructions">): void;
  onInstruction(instruction: Instruction): void;
}

const maxStages = 1000;

/**
 * Parses a Dockerfile of syntax 1.x. A `DockerfileFault` in BuildKit's words says what is wrong
 * first, and where: how lines are put together in the whole file, then instruction by instruction.
 */
export function parseDockerfile(text: string, observer?: ParseObserver): Dockerfile {
  if (text === "") throw new DockerfileFault("the Dockerfile cannot be empty");
  const { directives, statements, emptyContinuations } = readStatements(text);
  if (directives.syntax !== undefined) refuseForeign(directives.syntax);
  const isLabs = directives.syntax?.includes("-labs") ?? false;
  for (const line of emptyContinuations) observer?.onEmptyContinuation(line);
  const globalArguments: Instruction<"arg">[] = [];
  const stages: (Omit<Stage, "instructions"> & { readonly instructions: Instruction[] })[] = [];
  for (const statement of statements) {
    const { range } = statement;
    observer?.onStatement(statement);
    const prefix = `dockerfile parse error on line ${range.start}: `;
    if (statement.keyword.toLowerCase() === "from") {
      const stage = located(range, () => parseFrom(statement), prefix);
      observer?.onStage(stage);
      stages.push({ ...stage, instructions: [] });
      if (stages.length > maxStages) {
        throw new DockerfileFault(`the Dockerfile has more than ${maxStages} stages`, [range]);
      }
      continue;
    }
    const instruction = located(range, () => parseInstruction(statement, isLabs), prefix);
    observer?.onInstruction(instruction);
    const stage = stages.at(-1);
    if (stage) stage.instructions.push(instruction);
    else if (instruction.kind === "arg") globalArguments.push(instruction);
    else throw new DockerfileFault("no build stage in current context", [range]);
  }
  if (stages.length === 0) throw new DockerfileFault("dockerfile contains no stages to build");
  return {
    escape: directives.escape,
    isLabs,
    globalArguments,
    stages,
    emptyContinuations,
  };
}

/** Parses what ONBUILD left to a stage on top of its own; it stands at that stage's FROM. */
export function parseTrigger(trigger: string, stage: Stage, isLabs: boolean): Instruction {
  const { statements } = located(stage.range, () => readStatements(trigger));
  const [statement, ...more] = statements;
  if (!statement || more.length > 0) {
    throw new DockerfileFault("onbuild trigger should be a single expression", [stage.range]);
  }
  return located(stage.range, () => parseInstruction({ ...statement, range: stage.range }, isLabs));
}

/** Refuses a frontend that "# syntax=" names, unless it is Docker's own, for which this module stands. */
function refuseForeign(syntax: string): void {
  const [name = ""] = syntax.split(" ", 1);
  if (/^(?:docker\.io\/)?docker\/dockerfile(?:-upstream)?(?:[:@].*)?$/.test(name)) return;
  throw new Fault(
    "unsupported",
    `the Dockerfile asks for the frontend ${name}; only docker/dockerfile can be built, so write "# syntax=docker/dockerfile:1" or leave the line out`,
    { about: name },
  );
}
