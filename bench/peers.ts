import { join } from "node:path";
import { runDirectory } from "./run-directory.ts";

const script = join(import.meta.dir, "peers");

/** The output of a command; the bench has no use for one that fails. */
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
  /** Puts a command into the tree; about a millisecond of nsenter(1). */
  inTree(argv: readonly string[]): string[];
  /** A path of the tree as the host sees it. */
  readonly tree: string;
}

/** Starts the peers, or says why they are missing. */
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
  const dockerHost = `unix://${socket}`;
  const stopDocker = await startDocker(dockerHost, tree);
  if (!stopDocker) {
    holder.kill();
    return { missing: "Docker's engine does not start in the tree" };
  }
  return {
    dockerHost,
    tree,
    inTree: (argv) => ["nsenter", "-m", "-t", String(holderPid), ...argv],
    async [Symbol.asyncDispose]() {
      process.kill(holderPid, "SIGTERM");
      await Promise.all([stopDocker(), holder.exited]);
    },
  };
}

/** Uses the engine that answers in the tree, and leaves it running, or starts one; gives what ends ours. */
async function startDocker(host: string, tree: string): Promise<(() => Promise<void>) | undefined> {
  const answers = () =>
    command(["docker", "-H", host, "version"]).then(
      () => true,
      () => false,
    );
  if (await answers()) return async () => undefined;
  const mounted = await runDirectory(join(tree, "run/peers"));
  const dockerd = Bun.spawn([script, "dockerd"], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "ignore",
  });
  for (let attempt = 0; !(await answers()); attempt++) {
    if (attempt > 100 || dockerd.exitCode !== null) {
      await mounted[Symbol.asyncDispose]();
      return undefined;
    }
    await Bun.sleep(100);
  }
  const pid = Number(await Bun.file(join(tree, "run/peers/docker.pid")).text());
  return async () => {
    process.kill(pid, "SIGTERM");
    await dockerd.exited;
    await mounted[Symbol.asyncDispose]();
  };
}
