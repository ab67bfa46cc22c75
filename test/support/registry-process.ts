import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const root = join(import.meta.dir, "../..");
const tool = join(root, "src/main/tool.ts");
/** Debian's, unpacked by scripts/test. */
const unpacked = join(root, "node_modules/.cache/docker-registry/usr/bin/docker-registry");

export const dockerRegistryPath: string | null = existsSync(unpacked)
  ? unpacked
  : Bun.which("docker-registry");

export function temporaryDirectory(): string {
  return mkdtempSync(join(tmpdir(), "thimble-registry-"));
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; a status other than 0 is not a failure of the test yet. */
export async function runProgram(
  argv: readonly string[],
  options: { readonly input?: string; readonly env?: Record<string, string> } = {},
): Promise<Ended> {
  const child = Bun.spawn([...argv], {
    stdin: Buffer.from(options.input ?? ""),
    stdout: "pipe",
    stderr: "pipe",
    env: { ...process.env, ...options.env },
  });
  const [stdout, stderr, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { status, stdout, stderr };
}

export function thimble(args: readonly string[], input?: string): Promise<Ended> {
  return runProgram([process.execPath, tool, ...args], input === undefined ? {} : { input });
}

/** A registry in a process of its own. */
export interface RunningRegistry extends AsyncDisposable {
  /** "127.0.0.1:40123". */
  readonly host: string;
  readonly url: string;
  readonly root: string;
  /** Ends it as its user would; its exit status. */
  stop(): Promise<number | null>;
}

/** `thimble registry serve` on a free port; the root is kept when it is given. `argv`: the program, by default from this clone. */
export async function startRegistry(
  flags: readonly string[],
  root = temporaryDirectory(),
  {
    argv: [program = "", ...before] = [process.execPath, tool],
    env,
  }: { readonly argv?: readonly string[]; readonly env?: Record<string, string> } = {},
): Promise<RunningRegistry> {
  const addr = ["--addr", "127.0.0.1:0", "--root", root, "--log-level", "warn"];
  const child = spawn(program, [...before, "registry", "serve", ...addr, ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
  });
  let told = "";
  child.stderr.on("data", (bytes: Buffer) => {
    told += bytes.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const { promise: url, resolve: found } = Promise.withResolvers<string | undefined>();
  createInterface({ input: child.stdout }).on("line", (line) => {
    const match = /^registry at (\S+) /.exec(line);
    if (match) found(match[1]);
  });
  void ended.then(() => found(undefined));
  const address = await url;
  if (address === undefined) throw new Error(`the registry did not start: ${told}`);
  const stop = () => {
    child.kill("SIGTERM");
    return ended;
  };
  return {
    url: address,
    host: new URL(address).host,
    root,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Debian's docker-registry over a directory, on a free port. */
export async function startDockerRegistry(
  root = temporaryDirectory(),
  auth = "",
): Promise<RunningRegistry> {
  const port = freePort();
  const directory = temporaryDirectory();
  mkdirSync(root, { recursive: true });
  writeFileSync(
    join(directory, "config.yml"),
    `version: 0.1
log: {level: error, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${root}}, delete: {enabled: true}}
http: {addr: "127.0.0.1:${port}"}
${auth}`,
  );
  const program = dockerRegistryPath ?? "docker-registry";
  const child = spawn(program, ["serve", join(directory, "config.yml")], { stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const url = `http://127.0.0.1:${port}`;
  const gone = ended.then(() => {
    throw new Error("docker-registry did not start");
  });
  gone.catch(() => undefined);
  while (!(await Promise.race([fetch(`${url}/v2/`).catch(() => undefined), gone])))
    await Bun.sleep(10);
  const stop = () => {
    child.kill("SIGTERM");
    return ended;
  };
  return {
    url,
    host: `127.0.0.1:${port}`,
    root,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      for (const path of [root, directory]) rmSync(path, { recursive: true, force: true });
    },
  };
}

/** No other test takes it before it is used: ports are given out in turn. */
function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = probe;
  probe.stop(true);
  return port;
}
