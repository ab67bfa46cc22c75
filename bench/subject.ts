import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { FreshDisk } from "./fresh-disk.ts";
import { command } from "./peers.ts";
import { runDirectory } from "./run-directory.ts";

export const release = join(import.meta.dir, "../dist/thimble");

/** The release binary with an engine of its own, in roots of its own. */
export interface Subject extends AsyncDisposable {
  readonly binary: string;
  readonly host: string;
  readonly pid: number;
  readonly dataRoot: string;
  readonly runRoot: string;
  /** The command line of a verb against this engine. */
  argv(...rest: string[]): string[];
}

export interface SubjectOptions {
  /** Keeps its data instead of the host's disk. */
  readonly disk?: Pick<FreshDisk, "place" | "within">;
  readonly binary?: string;
  /** Puts the engine's command elsewhere. */
  readonly within?: (argv: readonly string[]) => string[];
}

export async function startSubject(options: SubjectOptions = {}): Promise<Subject> {
  const { disk, binary = release, within = disk?.within } = options;
  const root = await mkdtemp("/var/tmp/thimble-bench-");
  const runRoot = await mkdtemp("/run/thimble-bench-");
  const mounted = await runDirectory(runRoot);
  const dataRoot = join(disk?.place ?? root, "data");
  const host = `unix://${runRoot}/thimble.sock`;
  const daemonArgv = [binary, "daemon", "--data-root", dataRoot, "--run-root", runRoot, "-H", host];
  const daemon = Bun.spawn(within?.(daemonArgv) ?? daemonArgv, {
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(root, "engine.log")),
  });
  const argv = (...rest: string[]) => [binary, "-H", host, ...rest];
  for (let attempt = 0; ; attempt++) {
    const answer = await command(argv("info")).catch((error: unknown) =>
      attempt > 100 ? Promise.reject(error) : undefined,
    );
    if (answer !== undefined) break;
    await Bun.sleep(50);
  }
  return {
    binary,
    host,
    pid: daemon.pid,
    dataRoot,
    runRoot,
    argv,
    async [Symbol.asyncDispose]() {
      daemon.kill("SIGTERM");
      await daemon.exited;
      await mounted[Symbol.asyncDispose]();
      await rm(root, { recursive: true, force: true });
      await rm(runRoot, { recursive: true, force: true });
    },
  };
}
