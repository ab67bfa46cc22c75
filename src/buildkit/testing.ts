/** A solver that carries nothing out, for tests of the protocol. */
import { readdirSync } from "node:fs";
import { parseIgnoreFile } from "#dockerfile";
import type { BuildRequest, ExportRequest, Solution, Solver } from "./build/solver.ts";

/** What reached the solver. */
export interface FakeSolver extends Solver {
  readonly requests: BuildRequest[];
  readonly exports: ExportRequest[];
  /** The paths of the context of each build. */
  readonly files: string[][];
}

/** Takes the files of each context, and then does with the build what `act` says. */
export function createFakeSolver(
  act: (request: BuildRequest) => Promise<void> = async () => undefined,
): FakeSolver {
  const requests: BuildRequest[] = [];
  const exports: ExportRequest[] = [];
  const files: string[][] = [];
  const platform = { os: "linux", architecture: "amd64" };
  return {
    ...{ requests, exports, files, platforms: [platform] },
    hostGateway: async () => "192.0.2.1",
    async solve(request): Promise<Solution> {
      requests.push(request);
      const { context, ignore = "", client } = request;
      const exclude = parseIgnoreFile(ignore);
      if (context.kind === "client") {
        await using copy = await client.directory(context.name, { exclude });
        const options = { recursive: true, encoding: "utf8" } as const;
        files.push(readdirSync(copy.directory, options).sort());
      }
      await act(request);
      const config = Buffer.from(JSON.stringify({ ...platform, rootfs: { diff_ids: [] } }));
      return {
        images: [{ platform, config }],
        async export(output) {
          exports.push(output);
          return { "containerimage.digest": `sha256:${"0".repeat(64)}` };
        },
        exportCache: () => Promise.reject(new Error("no caches are made")),
        open: () => Promise.reject(new Error("no files are made")),
        directory: () => Promise.reject(new Error("no files are made")),
        [Symbol.asyncDispose]: async () => undefined,
      };
    },
    usage: async () => [],
    prune: async () => ({ ids: [], bytes: 0 }),
    resolveImage: () => Promise.reject(new Error("no images are known")),
  };
}
