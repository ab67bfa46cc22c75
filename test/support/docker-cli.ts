import { spawn } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openCgroups } from "#runtime";
import { instanceIdOf } from "../../src/main/roots.ts";
import { removeNetworks } from "./remove-networks.ts";

/**
 * The real docker CLI before an engine: before the one that DOCKER_HOST names (as the
 * reference, to show that a test is right), or before one of ours, started for it.
 */
export interface DockerTarget extends AsyncDisposable {
  readonly host: string;
  /** The path of the socket. */
  readonly socket: string;
  /** Whether it is thimble and not the reference. */
  readonly ours: boolean;
  /** A directory for the test's files. */
  readonly directory: string;
  /** A directory that the engine sees under the same path, wherever its root is. */
  readonly shared: string;
  /** Runs to the end; never throws for a status other than 0. */
  docker(args: readonly string[], options?: RunOptions): Promise<Ended>;
  /** Like `docker`, and fails the test unless the status is 0; trimmed standard output. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>;
  /** A command line of a shell, in which docker is before this engine. */
  shell(command: string, directory: string): Promise<Ended>;
  /** In a terminal of its own; another program than docker may be run there, in a directory. */
  terminal(
    args: readonly string[],
    options?: {
      readonly program?: string;
      readonly directory?: string;
      readonly env?: Readonly<Record<string, string>>;
    },
  ): Session;
  /** Goes on running, with pipes. */
  session(args: readonly string[], env?: Readonly<Record<string, string>>): Session;
  /** A name of this test alone; a container or image of that name is removed at the end. */
  name(): string;
}

interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
}

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Session {
  /** Resolves once the output (both streams) has this; rejects when it ends before. */
  until(wanted: string): Promise<string>;
  send(text: string): void;
  endInput(): void;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<Ended>;
}

const root = join(import.meta.dir, "../..");

export const dockerPath = Bun.which("docker");
export const isRoot = process.getuid?.() === 0;

/** The image that the tests run: busybox and nothing else. */
export const image = "thimble.example/busybox:conformance";

export async function openDockerTarget(
  options: {
    /** Further flags of an engine of ours. */
    readonly daemonFlags?: readonly string[];
  } = {},
): Promise<DockerTarget> {
  const directory = mkdtempSync(join(tmpdir(), "thimble-conf-"));
  const shared = mkdtempSync("/dev/shm/thimble-conf-");
  const given = process.env.DOCKER_HOST;
  const clear = () => {
    for (const path of [directory, shared]) rmSync(path, { recursive: true, force: true });
  };
  const starting = given ? undefined : startDaemon(directory, options.daemonFlags);
  // An engine may be meant not to start.
  starting?.catch(clear);
  const daemon = await starting;
  const host = given ?? `unix://${join(directory, "s")}`;
  const names: string[] = [];
  const start = (command: string, args: readonly string[], env = {}, cwd?: string) =>
    spawn(command, args, {
      cwd,
      env: { ...process.env, DOCKER_HOST: host, ...env },
      stdio: "pipe",
    });
  const target: DockerTarget = {
    host,
    socket: host.replace("unix://", ""),
    ours: daemon !== undefined,
    directory,
    shared,
    docker: async (args, { input, env } = {}) => {
      const child = start("docker", args, env);
      child.stdin.on("error", () => undefined);
      child.stdin.end(input ?? "");
      return sessionOf(child).ended;
    },
    async ok(args, options) {
      const { status, stdout, stderr } = await target.docker(args, options);
      if (status !== 0) throw new Error(`docker ${args.join(" ")}: status ${status}: ${stderr}`);
      return stdout.trim();
    },
    shell(command, cwd) {
      const child = start(
        "timeout",
        ["-s", "KILL", "120", "sh", "-c", command],
        { HOME: cwd },
        cwd,
      );
      child.stdin.end();
      return sessionOf(child).ended;
    },
    session: (args, env) => sessionOf(start("docker", args, env)),
    terminal(args, { program = "docker", directory: cwd, env } = {}) {
      const quoted = [program, ...args]
        .map((each) => `'${each.replaceAll("'", "'\\''")}'`)
        .join(" ");
      const words = ["-qefc", quoted, "/dev/null"];
      return sessionOf(start("script", words, { TERM: "dumb", ...env }, cwd));
    },
    name() {
      const name = `conf-${process.pid}-${names.length}`;
      names.push(name);
      return name;
    },
    async [Symbol.asyncDispose]() {
      if (names.length > 0) await target.docker(["rm", "-f", ...names]);
      await daemon?.stop();
      clear();
    },
  };
  try {
    await importImage(target);
  } catch (error) {
    await target[Symbol.asyncDispose]();
    throw error;
  }
  return target;
}

function sessionOf(child: ReturnType<typeof spawn>): Session {
  let stdout = "";
  let stderr = "";
  let over = false;
  const ended = Promise.withResolvers<Ended>();
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  child.stdout?.on("data", (bytes: Buffer) => {
    stdout += bytes.toString("latin1");
    change();
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    stderr += bytes.toString("latin1");
    change();
  });
  child.on("error", (error) => ended.reject(error));
  child.on("close", (code, signal) => {
    over = true;
    change();
    ended.resolve({ status: code ?? (signal ? 128 : 0), stdout, stderr });
  });
  return {
    ended: ended.promise,
    async until(wanted) {
      while (!`${stdout}${stderr}`.includes(wanted)) {
        if (over) throw new Error(`ended before ${JSON.stringify(wanted)}: ${stdout}${stderr}`);
        await changed.promise;
      }
      return `${stdout}${stderr}`;
    },
    send: (text) => void child.stdin?.write(text),
    endInput: () => void child.stdin?.end(),
    signal: (name) => void child.kill(name),
  };
}

async function startDaemon(
  directory: string,
  flags: readonly string[] = [],
): Promise<{ stop(): Promise<void> }> {
  const socket = join(directory, "s");
  const roots = ["--data-root", join(directory, "data"), "--run-root", join(directory, "run")];
  const child = spawn(
    process.execPath,
    [join(root, "src/main/tool.ts"), "daemon", ...roots, "-H", `unix://${socket}`, ...flags],
    { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, UV_THREADPOOL_SIZE: "8" } },
  );
  const { ended } = sessionOf(child);
  const gone = ended.then(({ stdout, stderr }) => {
    throw new Error(`the engine did not start: ${stdout}${stderr}`);
  });
  gone.catch(() => undefined);
  const answers = async () => {
    for (;;) {
      const alive =
        existsSync(socket) &&
        (await fetch("http://d/_ping", { unix: socket }).catch(() => undefined));
      if (alive) return;
      await Bun.sleep(20);
    }
  };
  await Promise.race([answers(), gone]);
  return {
    async stop() {
      child.kill("SIGTERM");
      await ended;
      await sweep(join(directory, "run"));
    },
  };
}

/** An engine that stops keeps what its containers need; here all of them are gone. */
async function sweep(runRoot: string): Promise<void> {
  const instanceId = instanceIdOf(runRoot);
  await removeNetworks(runRoot);
  openCgroups({ instanceId }).close();
}

const account = "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n";

/** Makes a busybox image, over the API of the target itself. */
async function importImage(target: DockerTarget): Promise<void> {
  const tree = join(target.directory, "tree");
  for (const each of ["bin", "etc", "tmp", "root", "proc", "sys", "dev"])
    mkdirSync(join(tree, each), { recursive: true });
  cpSync("/bin/busybox", join(tree, "bin/busybox"));
  const applets = Bun.spawnSync(["/bin/busybox", "--list"]).stdout.toString().trim().split("\n");
  for (const applet of applets)
    if (applet !== "busybox") symlinkSync("busybox", join(tree, "bin", applet));
  writeFileSync(join(tree, "etc/passwd"), account);
  writeFileSync(join(tree, "etc/group"), "root:x:0:\nuser:x:1000:\n");
  writeFileSync(join(tree, "etc/plain"), "no program\n");
  const tar = join(target.directory, "image.tar");
  if (Bun.spawnSync(["tar", "-C", tree, "-cf", tar, "."]).exitCode !== 0)
    throw new Error("tar failed");
  await target.ok(["import", "-c", 'CMD ["sh"]', "-c", "ENV PATH=/bin", tar, image]);
}
