import { Fault } from "#base";
import type { BuildEvent } from "#engine";
import type { Builds } from "./gateway.ts";
import type { Job } from "./jobs.ts";
import type { Solution } from "./solver.ts";

/**
 * Makes the outputs of a build of its result; gives what the client is told of them. `invalid` when
 * the client returned images of several results, or none for its outputs.
 */
export async function exportResult(
  { solutions, clientOf }: Builds,
  { job, refs, signal }: { job: Job; refs: readonly string[]; signal: AbortSignal },
): Promise<Record<string, string>> {
  const outputs = job.outputs();
  if (outputs.length === 0) return {};
  const found = new Set<Solution>(refs.map((ref) => solutions.image(ref).solution));
  const [solution] = found;
  if (!solution || found.size > 1)
    throw new Fault("invalid", `a build has ${found.size} results; its outputs are made of one`);
  const client = await clientOf(job);
  const told: Record<string, string> = {};
  const report = (message: BuildEvent) => job.tell(message);
  for (const [output, { type, attrs: attributes }] of outputs.entries()) {
    const request = { type, attributes, output, client, signal, report };
    Object.assign(told, await solution.export(request));
  }
  return told;
}
