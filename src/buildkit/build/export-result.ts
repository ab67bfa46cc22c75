import { Fault } from "#base";
import type { BuildMessage } from "#wire";
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
  const outputs = exportersOf(job);
  if (outputs.length === 0) return {};
  const found = new Set<Solution>(refs.map((ref) => solutions.image(ref).solution));
  const [solution] = found;
  if (!solution || found.size > 1)
    throw new Fault("invalid", `a build has ${found.size} results; its outputs are made of one`);
  const client = await clientOf(job);
  const told: Record<string, string> = {};
  for (const { type, attrs: attributes } of outputs) {
    const report = (message: BuildMessage) => job.tell(message);
    const output = { type, attributes, client, signal, report };
    Object.assign(told, await solution.export(output));
  }
  return told;
}

function exportersOf({ request }: Job) {
  const { exporters, exporter, exporterAttrs } = request;
  if (exporters.length > 0) return exporters;
  return exporter === "" ? [] : [{ type: exporter, attrs: exporterAttrs }];
}
