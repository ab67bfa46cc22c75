import type { Dockerfile, Stage } from "#dockerfile";
import { sha256 } from "#image";
import type { StepsEvent, VertexEvent } from "./build-event.ts";
import { inputsOf, type Operation } from "./operation.ts";

/** How an operation is shown. */
export type Vertex = Pick<VertexEvent, "digest" | "name" | "inputs">;

/** The operations of a build, each after its inputs, with what stands for them in its progress. */
export function verticesOf(operations: readonly Operation[]): ReadonlyMap<Operation, Vertex> {
  const vertices = new Map<Operation, Vertex>();
  for (const operation of operations) {
    const inputs = inputsOf(operation).flatMap((input) => vertices.get(input)?.digest ?? []);
    const { kind, name, range, stage } = operation;
    const digest = sha256(JSON.stringify([kind, stage, name, range, inputs]));
    vertices.set(operation, { digest, name, inputs });
  }
  return vertices;
}

/** The instructions of stages in the order of the file, each with the operation that it has become. */
export function stepsOf(
  { stages }: Pick<Dockerfile, "stages">,
  vertices: ReadonlyMap<Operation, Vertex>,
): StepsEvent["steps"] {
  const byLine = new Map<number, string>();
  for (const [{ range }, { digest }] of vertices) if (range) byLine.set(range.start, digest);
  return stages
    .flatMap((stage: Stage) => [stage, ...stage.instructions])
    .map(({ source, range }) => {
      const vertex = byLine.get(range.start);
      return vertex === undefined ? { text: source } : { text: source, vertex };
    });
}
