import { excerpt } from "#dockerfile";
import type { BuildFailure } from "#wire";
import type { BuildProgress } from "./build-progress.ts";
import { elapsedText } from "./plain-view.ts";

/**
 * The end of a build that failed, as buildx prints it: the last lines of the step's output, the
 * lines of the Dockerfile, and the error.
 */
export function failureReport(
  failure: BuildFailure,
  options: {
    /** Absent: the output is not repeated. */
    readonly progress: BuildProgress | undefined;
    readonly file: string;
    readonly dockerfile: string | undefined;
  },
): string {
  const { progress, file, dockerfile } = options;
  const text = failure.dockerfile ?? dockerfile;
  const lines = text === undefined ? "" : excerpt(file, text, failure.ranges);
  const output = progress ? outputOf(failure, progress) : "";
  return `${output}${lines}ERROR: failed to build: failed to solve: ${failure.message}`;
}

function outputOf({ vertex }: BuildFailure, progress: BuildProgress): string {
  const failed =
    vertex === undefined
      ? progress.steps.find((step) => step.error !== undefined)
      : progress.step(vertex);
  if (!failed) return "";
  const shown = failed.output.map(({ seconds, text }) => `${elapsedText(seconds)} ${text}\n`);
  return `------\n > ${failed.name}:\n${shown.join("")}------\n`;
}
