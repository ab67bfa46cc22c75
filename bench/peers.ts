import { readFileSync } from "node:fs";
import { join } from "node:path";

const script = join(import.meta.dir, "peers");

/** What came of a command; the bench has no use for one that fails. */
export async function command(
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  const child = Bun.spawn([...argv], {
    env: { ...process.env, ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0)
    throw new Error(`${argv.join(" ")} ended with ${status}: ${err.trim() || out.trim()}`);
  return out.trim();
}

/** Docker's engine, Podman and crun out of the tree that `bench/peers setup` makes. */
export interface Peers extends AsyncDisposable {
  /** DOCKER_HOST of the reference engine. */
  readonly dockerHost: string;
  readonly dockerPid: number;
  /** Puts a command into the tree; about a millisecond of nsenter(1). */
  inTree(argv: readonly string[]): string[];
  /** A path of the tree as the host sees it. */
  readonly tree: string;
}

/** Starts the peers, or says why there are none. */
export async function startPeers(): Promise<Peers | { readonly missing: string }> {
  const socket = await command([script, "socket"]);
  const tree = socket.replace(/\/run\/peers\/docker\.sock$/, "");
  if (!(await Bun.file(join(tree, ".ready")).exists())) {
    return { missing: `no tree at ${tree}: run bench/peers setup` };
  }
  const holder = Bun.spawn([script, "hold"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await holder.stdout.getReader().read();
  const holderPid = Number(new TextDecoder().decode(value).trim());
  const dockerd = Bun.spawn([script, "dockerd"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  const dockerHost = `unix://${socket}`;
  for (let attempt = 0; ; attempt++) {
    const answer = await command(["docker", "-H", dockerHost, "version"]).catch(() => undefined);
    if (answer !== undefined) break;
    if (attempt > 100 || dockerd.exitCode !== null) {
      holder.kill();
      return { missing: "Docker's engine does not start in the tree" };
    }
    await Bun.sleep(100);
  }
  const dockerPid = Number(readFileSync(join(tree, "run/peers/docker.pid"), "utf8"));
  return {
    dockerHost,
    tree,
    dockerPid,
    inTree: (argv) => ["nsenter", "-m", "-t", String(holderPid), ...argv],
    async [Symbol.asyncDispose]() {
      process.kill(dockerPid, "SIGTERM");
      process.kill(holderPid, "SIGTERM");
      await Promise.all([dockerd.exited, holder.exited]);
    },
  };
}
