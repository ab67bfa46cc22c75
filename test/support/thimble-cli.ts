import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { busyboxTree } from "./engine.ts";
import { removeNetworks } from "./remove-networks.ts";

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line that is still running. */
export interface Running {
  readonly ended: Promise<Ended>;
  /** The output (both streams) once it has this text; rejects when it ends before. */
  until(text: string): Promise<string>;
  send(text: string): void;
  /** Hears what is written to its output from now on. */
  onOutput(listener: (bytes: Uint8Array) => void): void;
  /** The id of the process that was started. */
  readonly pid: number;
  signal(name: NodeJS.Signals): void;
}

export interface RunOptions {
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly env?: Readonly<Record<string, string>>;
  /** Runs as this user and group in place of root. */
  readonly user?: number;
  /** The mask of modes, as the shell has it: "077". */
  readonly umask?: string;
}

interface TerminalOptions extends Pick<RunOptions, "env"> {
  readonly rows?: number;
  readonly columns?: number;
}

const tool = join(import.meta.dir, "../../src/main/tool.ts");

/** `/bin/busybox` of Debian's busybox-static. */
export const busybox = "/bin/busybox";

/**
 * The command line of this clone with roots of its own: its engine starts on first use,
 * as a user's does, and ends with the disposal.
 */
export class ThimbleCli implements AsyncDisposable {
  readonly directory: string;
  readonly #runRoot: string;

  /** @param place the beginning of the path of its files */
  constructor(place = "/tmp/te-") {
    this.directory = mkdtempSync(place);
    this.#runRoot = join(this.directory, "run");
  }

  /** Lets every user ask the engine, which runs. */
  openToAll(): void {
    for (const path of [this.directory, this.#runRoot]) chmodSync(path, 0o711);
    chmodSync(this.socket, 0o666);
  }

  get socket(): string {
    return join(this.#runRoot, "thimble.sock");
  }

  /** Runs to the end; a status other than 0 is not a failure of the test yet. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const child = this.#spawn([process.execPath, tool, ...args], options);
    const { input = "" } = options;
    if (typeof input === "string" || input instanceof Uint8Array) child.stdin.end(input);
    else {
      for await (const bytes of input) child.stdin.write(bytes);
      child.stdin.end();
    }
    return await watch(child).ended;
  }

  /** Trimmed standard output; fails unless the status is 0. */
  async ok(args: readonly string[], options: RunOptions = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(args, options);
    if (status !== 0) throw new Error(`thimble ${args.join(" ")}: status ${status}: ${stderr}`);
    return stdout.trim();
  }

  /** Goes on running, with pipes. */
  start(args: readonly string[]): Running {
    return watch(this.#spawn([process.execPath, tool, ...args], {}));
  }

  /** Goes on running in a terminal of its own, of 24 by 80 characters unless told otherwise. */
  terminal(
    args: readonly string[],
    { rows = 24, columns = 80, env }: TerminalOptions = {},
  ): Running {
    const words = [process.execPath, tool, ...args].map((word) => `'${word}'`).join(" ");
    const line = `stty rows ${rows} cols ${columns}; exec ${words}`;
    return watch(this.#spawn(["script", "-qefc", line, "/dev/null"], { ...(env && { env }) }));
  }

  /** A root file system of busybox as an image. */
  async importBusybox(name: string): Promise<void> {
    await this.ok(["import", "-c", 'CMD ["sh"]', "-", name], { input: busyboxTree() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const pidFile = join(this.#runRoot, "engine.pid");
    if (existsSync(pidFile)) {
      await this.run(["ps", "-aq"]).then(async ({ stdout }) => {
        const left = stdout.split("\n").filter((id) => id !== "");
        if (left.length > 0) await this.run(["rm", "-f", ...left]);
      });
      await this.stopEngine();
      await removeNetworks(this.#runRoot);
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Ends the engine, which must run; containers go on, and the next command starts another one. */
  async stopEngine(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    const pid = Number(readFileSync(join(this.#runRoot, "engine.pid"), "utf8"));
    process.kill(pid, signal);
    while (existsSync(`/proc/${pid}`)) await Bun.sleep(10);
  }

  #spawn(command: readonly string[], options: RunOptions) {
    const { user, umask } = options;
    const drop = ["setpriv", `--reuid=${user}`, `--regid=${user}`, "--clear-groups"];
    const mask = ["sh", "-c", `umask ${umask}; exec "$@"`, "sh"];
    const [program = "", ...args] = [
      ...(umask === undefined ? [] : mask),
      ...(user === undefined ? [] : drop),
      ...command,
    ];
    const child = spawn(program, args, {
      cwd: this.directory,
      stdio: "pipe",
      env: {
        PATH: process.env.PATH,
        TERM: "dumb",
        THIMBLE_DATA_ROOT: join(this.directory, "data"),
        THIMBLE_RUN_ROOT: this.#runRoot,
        ...options.env,
      },
    });
    // One that ends need not have read all that it was sent.
    child.stdin.on("error", () => undefined);
    return child;
  }
}

function watch(child: ChildProcessWithoutNullStreams): Running {
  let stdout = "";
  let stderr = "";
  let over = false;
  let changed = Promise.withResolvers<void>();
  const change = () => {
    changed.resolve();
    changed = Promise.withResolvers();
  };
  child.stdout.on("data", (bytes: Buffer) => {
    stdout += bytes.toString("latin1");
    change();
  });
  child.stderr.on("data", (bytes: Buffer) => {
    stderr += bytes.toString("latin1");
    change();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => {
      over = true;
      change();
      resolve({ status, signal, stdout, stderr });
    });
  });
  return {
    ended,
    async until(text) {
      while (!`${stdout}${stderr}`.includes(text)) {
        if (over) throw new Error(`ended before ${JSON.stringify(text)}: ${stdout}${stderr}`);
        await changed.promise;
      }
      return `${stdout}${stderr}`;
    },
    send: (text) => void child.stdin.write(text),
    onOutput: (listener) => void child.stdout.on("data", listener),
    pid: child.pid ?? 0,
    signal: (name) => void child.kill(name),
  };
}
