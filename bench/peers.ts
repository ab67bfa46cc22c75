import { rm } from "node:fs/promises";
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

/** The tree of the peers, or why it is missing. */
export async function peersTree(): Promise<string | { readonly missing: string }> {
  const tree = (await command([script, "socket"])).replace(/\/run\/peers\/docker\.sock$/, "");
  const isReady = await Bun.file(join(tree, ".ready")).exists();
  return isReady ? tree : { missing: `no tree at ${tree}: run bench/peers setup` };
}

/** Starts the peers, or says why they are missing. */
export async function startPeers(): Promise<Peers | { readonly missing: string }> {
  const tree = await peersTree();
  if (typeof tree !== "string") return tree;
  const holder = Bun.spawn([script, "hold"], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  const { value } = await holder.stdout.getReader().read();
  const holderPid = Number(new TextDecoder().decode(value).trim());
  const dockerHost = `unix://${join(tree, "run/peers/docker.sock")}`;
  const stopDocker = (await answers(dockerHost))
    ? async () => undefined // of someone else, to whom it is left
    : await startDocker(dockerHost, join(tree, "run/peers"), [script, "dockerd"]);
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

/** Docker's engine, of one user alone. */
export interface ApartDocker extends AsyncDisposable {
  readonly host: string;
  /** The command line of a verb against this engine. */
  argv(...rest: string[]): string[];
}

/** @param within puts a command into the network namespace that the engine is to be in */
export async function startDockerApart(
  tree: string,
  within: (argv: readonly string[]) => string[],
): Promise<ApartDocker> {
  const run = join(tree, "run/apart");
  const host = `unix://${join(run, "docker.sock")}`;
  const stop = await startDocker(host, run, within([script, "dockerd-apart"]));
  if (!stop) throw new Error("Docker's engine does not start in a network namespace of its own");
  return {
    host,
    argv: (...rest) => ["docker", "-H", host, ...rest],
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(join(tree, "var/lib/docker-apart"), { recursive: true, force: true });
    },
  };
}

function answers(host: string): Promise<boolean> {
  return command(["docker", "-H", host, "version"]).then(
    () => true,
    () => false,
  );
}

/** Starts an engine that has its socket and its pid in `run`; gives what ends it. */
async function startDocker(
  host: string,
  run: string,
  argv: readonly string[],
): Promise<(() => Promise<void>) | undefined> {
  const mounted = await runDirectory(run);
  const dockerd = Bun.spawn([...argv], { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
  for (let attempt = 0; !(await answers(host)); attempt++) {
    if (attempt > 100 || dockerd.exitCode !== null) {
      await mounted[Symbol.asyncDispose]();
      return undefined;
    }
    await Bun.sleep(100);
  }
  const pid = Number(await Bun.file(join(run, "docker.pid")).text());
  return async () => {
    process.kill(pid, "SIGTERM");
    await dockerd.exited;
    await mounted[Symbol.asyncDispose]();
  };
}
