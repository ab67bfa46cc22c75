import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { dirname, join } from "node:path";
import { Fault, poll } from "#base";
import { isRelease } from "./assets.ts";
import { roots } from "./roots.ts";
import { readDaemonFile } from "./settings/read-file.ts";

/** Milliseconds for an engine that neither answers nor ends; a machine that is busy needs several. */
const patience = 60_000;

/** How this program calls itself again: the release file, or Bun with the clone's entry point. */
function selfCommand(): readonly [string, ...string[]] {
  if (isRelease) return [process.execPath];
  return [
    process.execPath,
    "--no-env-file",
    "--config=/dev/null",
    join(import.meta.dir, "tool.ts"),
  ];
}

/** Starts the engine in the background and settles once `socket` answers. */
export async function startDaemon({ socket }: { readonly socket: string }): Promise<void> {
  const { runRoot, configRoot } = roots(process.env);
  const listen = listenFlags(socket, join(configRoot, "daemon.json"));
  const directory = socket.startsWith(`${runRoot}/`) ? runRoot : dirname(socket);
  const logPath = join(directory, "engine.log");
  const log = openLog(directory, logPath);
  const [program, ...before] = selfCommand();
  const child = spawn(program, [...before, "daemon", ...listen], {
    cwd: "/",
    detached: true,
    // It counts only when set before exec.
    env: { UV_THREADPOOL_SIZE: "8", ...process.env },
    stdio: ["ignore", log, log],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.once("exit", (code) => resolve(code ?? 1));
    child.once("error", reject);
  });
  child.unref();
  let gone = false;
  ended.then(
    () => (gone = true),
    () => (gone = true),
  );
  const deadline = Date.now() + patience;
  while (!(await answers(socket))) {
    // Another command may have started one at the same moment: its socket counts as well.
    if (Date.now() > deadline || (gone && !(await answersSoon(socket)))) {
      throw new Fault("unavailable", lastLine(logPath), {
        about: logPath,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/**
 * The flag for the socket, unless the configuration file says where the engine listens: it may not be
 * said twice. `unavailable` when the file has it listen elsewhere.
 */
function listenFlags(socket: string, file: string): readonly string[] {
  const { hosts } = readDaemonFile(file, { isNamed: false });
  if (!hosts) return ["-H", `unix://${socket}`];
  if (hosts.some((host) => host.replace(/^unix:\/\//, "") === socket)) return [];
  throw new Fault(
    "unavailable",
    `no engine runs at ${socket}, and none would: ${file} has it listen on ${hosts.join(", ")}; start it with thimble daemon, and name one of these with -H`,
    { about: file },
  );
}

async function answersSoon(socket: string): Promise<boolean> {
  return await poll(() => answers(socket), { attempts: 100, base: 10, max: 10 });
}

/** A user who may not write there may not start an engine there either. */
function openLog(directory: string, path: string): number {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    return openSync(path, "a", 0o600);
  } catch (cause) {
    const { code = "", message } = cause as NodeJS.ErrnoException;
    const forbidden = code === "EACCES" || code === "EPERM";
    throw new Fault(
      forbidden ? "denied" : "unavailable",
      forbidden
        ? `no engine runs for ${directory}, and this user may not start one there: run this as root (sudo thimble ...), or set THIMBLE_HOST to the socket of an engine that you may use`
        : `cannot start an engine for ${directory}: ${message}`,
      { about: directory, cause },
    );
  }
}

/** Whether somebody accepts connections on this unix socket. */
export function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const connection = connect(socket);
    connection.once("connect", () => {
      connection.destroy();
      resolve(true);
    });
    connection.once("error", () => resolve(false));
  });
}

function lastLine(path: string): string {
  const line = readFileSync(path, "utf8").trimEnd().split("\n").at(-1);
  return line
    ? `${line} (the engine's log: ${path})`
    : `the engine did not start, and ${path} does not say why`;
}
