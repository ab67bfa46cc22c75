import { type BuildEvent, type CacheExport, parseCacheExport } from "#engine";
import { encodeDocument } from "#image";
import type { Builds } from "./gateway.ts";
import type { Job } from "./jobs.ts";

/** The caches that the client of a build wants written; a Fault names what is wrong with one. */
export function cacheExports({ request }: Job): readonly CacheExport[] {
  return (request.cache?.exports ?? []).map(({ type, attrs: attributes }) =>
    parseCacheExport({ type, attributes }),
  );
}

/**
 * Writes the caches of a build that have a place of their own; gives what the client is told. It puts
 * the manifest into the index of its directory.
 */
export async function writeCaches(
  { solutions, clientOf }: Builds,
  {
    job,
    caches,
    refs,
    signal,
  }: {
    readonly job: Job;
    readonly caches: readonly CacheExport[];
    readonly refs: readonly string[];
    readonly signal: AbortSignal;
  },
): Promise<Record<string, string>> {
  const [ref] = refs;
  if (ref === undefined) return {};
  const { solution } = solutions.image(ref);
  const report = (message: BuildEvent) => job.tell(message);
  const told: Record<string, string> = {};
  for (const cache of caches) {
    if (cache.kind === "inline") continue;
    try {
      const client = await clientOf(job);
      const manifest = await solution.exportCache(cache, { client, report, signal });
      told["cache.manifest"] = encodeDocument(manifest).toString();
    } catch (error) {
      if (signal.aborted || !cache.ignoresErrors) throw error;
    }
  }
  return told;
}
