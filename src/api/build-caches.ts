import { Fault } from "#base";
import {
  type CacheExport,
  type CacheReader,
  type CacheRepository,
  parseCacheExport,
  parseCacheImport,
} from "#engine";
import type { ParsedBuild } from "./build-body.ts";

/** The caches that a request wants written. */
export function cacheExports({ cacheTo }: Pick<ParsedBuild, "cacheTo">): readonly CacheExport[] {
  return cacheTo.map(({ type, attributes }) =>
    parseCacheExport({ type, attributes: new Map(Object.entries(attributes)) }),
  );
}

/** The caches that a request wants read, given how to open those of each kind. */
export function cacheReaders(
  { cacheFrom }: Pick<ParsedBuild, "cacheFrom">,
  open: {
    readonly registry: (cache: CacheRepository) => CacheReader;
    /** `id`: of the context that the client has sent. */
    readonly layout: (id: string, cache: { name: string; wanted: string }) => CacheReader;
  },
): readonly CacheReader[] {
  return cacheFrom.map(({ type, attributes, context }) => {
    const cache = parseCacheImport({ type, attributes: new Map(Object.entries(attributes)) });
    if (cache.kind === "registry") return open.registry(cache);
    if (context !== undefined) {
      return open.layout(context, { name: cache.source, wanted: cache.wanted });
    }
    throw new Fault("invalid", `the local cache ${cache.source} was not sent as a context`);
  });
}
