import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApiServer } from "#api";
import { createLog } from "#base";
import { createBuildKit } from "#buildkit";
import { KeptDirectories } from "../../src/build/kept-directories.ts";
import { createFakeSolver, type FakeSolver } from "../../src/buildkit/testing.ts";
import { createFakeEngine } from "./fake-engine.ts";

/** The protocol of BuildKit over a solver that carries nothing out, on a socket of Docker's API. */
export interface BuildKitServer extends AsyncDisposable {
  /** For DOCKER_HOST. */
  readonly host: string;
  readonly solver: FakeSolver;
  /** A directory for the test's files. */
  readonly directory: string;
  /** Where copies of clients' files are. */
  readonly copies: string;
  /** Lines of the server's log. */
  readonly logged: readonly string[];
}

export async function openBuildKitServer(
  act?: Parameters<typeof createFakeSolver>[0],
): Promise<BuildKitServer> {
  const directory = mkdtempSync(join(tmpdir(), "thimble-bk-"));
  const copies = join(directory, "copies");
  const logged: string[] = [];
  const log = createLog("debug", (line) => void logged.push(line));
  const solver = createFakeSolver(act);
  const kept = new KeptDirectories(copies);
  const buildkit = createBuildKit({
    ...{ solver, log, copies: async () => kept, name: directory, version: "0.0.0" },
  });
  const server = createApiServer({ engine: createFakeEngine(), log, version: "0.0.0", buildkit });
  const path = join(directory, "s");
  await server.listen([{ kind: "unix", path, mode: 0o600 }]);
  return {
    ...{ host: `unix://${path}`, solver, directory, copies, logged },
    async [Symbol.asyncDispose]() {
      await buildkit.close();
      await server.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
