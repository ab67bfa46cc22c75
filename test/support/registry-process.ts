import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";

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
  const address = await announced(child.stdout, /^registry at (\S+) /);
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
  const directory = temporaryDirectory();
  mkdirSync(root, { recursive: true });
  writeFileSync(
    join(directory, "config.yml"),
    `version: 0.1
log: {level: info, accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: ${root}}, delete: {enabled: true}}
http: {addr: "127.0.0.1:0"}
${auth}`,
  );
  const program = dockerRegistryPath ?? "docker-registry";
  const child = spawn(program, ["serve", join(directory, "config.yml")], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const host = await announced(child.stderr, /listening on ([\d.:]+)/);
  if (host === undefined) throw new Error("docker-registry did not start");
  const stop = async () => {
    child.kill("SIGTERM");
    const status = await ended;
    rmSync(directory, { recursive: true, force: true });
    return status;
  };
  return {
    url: `http://${host}`,
    host,
    root,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/**
 * The text that the pattern finds in a line of a program's output; undefined once that has ended.
 * The rest is read and dropped.
 */
function announced(output: Readable, pattern: RegExp): Promise<string | undefined> {
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  createInterface({ input: output })
    .on("line", (line) => {
      const found = pattern.exec(line)?.[1];
      if (found !== undefined) resolve(found);
    })
    .on("close", () => resolve(undefined));
  return promise;
}
