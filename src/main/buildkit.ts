import { join } from "node:path";
import type { Log } from "#base";
import type { BuildKit } from "#buildkit";
import type { Engine } from "#engine";
import type { Roots } from "./roots.ts";
import { version } from "./version.ts";

/** The protocol of BuildKit before an engine; loaded when its first client comes. */
export function openBuildKit(
  engine: Engine,
  { dataRoot, runRoot, log }: Pick<Roots, "dataRoot" | "runRoot"> & { readonly log: Log },
): BuildKit {
  let made: Promise<BuildKit> | undefined;
  const load = async () => {
    const { createBuildKit, createEngineSolver } = await import("#buildkit");
    const solver = createEngineSolver({ engine, agents: join(runRoot, "agents") });
    const copies = async () => (await engine.builds.builder()).directories;
    return createBuildKit({ solver, copies, name: dataRoot, version, log });
  };
  const get = () => {
    made ??= load();
    return made;
  };
  return {
    accept: async (connection, early) => (await get()).accept(connection, early),
    checkSession: async (headers) => (await get()).checkSession(headers),
    serveSession: async (connection, headers, early) =>
      (await get()).serveSession(connection, headers, early),
    close: async () => (await made)?.close(),
  };
}
