import { Fault } from "#base";
import { addon } from "./addon.ts";
import { check } from "./errno.ts";
import { Fd } from "./fd.ts";
import { packStrings } from "./pack.ts";
import { pidfdSendSignal } from "./processes.ts";
import { dropReports, holdLoop, newReport, releaseLoop } from "./reports.ts";

const EPOLLIN = 0x001;

/** A program to start, and all that it gets from this process. */
export interface SpawnOptions {
  /** The program: an absolute path, or an open file such as a sealed memfd. */
  readonly program: string | Fd;
  readonly argv: readonly string[];
  /** The whole environment; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /**
   * The descriptors that the child has: `fd` here becomes `as` there (0 to 255). All
   * others are closed; of 0, 1 and 2, those that are missing are /dev/null.
   */
  readonly fds: readonly { readonly fd: Fd | number; readonly as: number }[];
  /** Makes the child the leader of a session of its own. True by default. */
  readonly setsid?: boolean;
}

/**
 * How a child ended: by itself with `code`, or by `signal`. Both are null when another part of this
 * process reaped it.
 */
interface Exit {
  readonly code: number | null;
  readonly signal: number | null;
}

/** A child. Its end keeps this process alive, unless `unref` is called. */
export interface ChildProcess {
  readonly pid: number;
  /** Settles when the child has been reaped; never rejects. */
  readonly exited: Promise<Exit>;
  /** Sends a signal, to this child alone; `not_found` once it has ended. */
  kill(signal: number): void;
  /** This process may end before the child does. */
  unref(): void;
}

/**
 * Starts a program with vfork(2) semantics: the calling thread stands still until the exec, so that
 * a program that is missing or cannot be executed is a Fault here, not an exit code. In the child
 * no signal is blocked and all are at their defaults.
 */
export function spawn(options: SpawnOptions): ChildProcess {
  const { program, argv, env, cwd = "", fds, setsid = true } = options;
  const byPath = typeof program === "string";
  if (byPath && !program.startsWith("/"))
    throw new Fault("invalid", `cannot run ${program}: an absolute path is needed`);
  const pairs = [...fds].sort((a, b) => a.as - b.as);
  const table = new Int32Array(
    pairs.flatMap(({ fd, as }) => [typeof fd === "number" ? fd : fd.number, as]),
  );
  const variables = Object.entries(env).map(([key, value]) => `${key}=${value}`);
  const out = new Int32Array(1);
  const pid = check(
    addon().spawn(
      byPath ? -1 : program.number,
      byPath ? program : "",
      packStrings(argv, "an argument"),
      packStrings(variables, "an environment variable"),
      cwd,
      table,
      setsid ? 1 : 0,
      out,
    ),
    { call: "execve", verb: "run", about: byPath ? program : (argv[0] ?? "a program") },
  );
  return watchChild(pid, new Fd(out[0] ?? -1));
}

function watchChild(pid: number, pidfd: Fd): ChildProcess {
  const { promise: exited, resolve } = Promise.withResolvers<Exit>();
  const status = new Int32Array(2);
  let held = true;
  const unref = () => {
    if (held) releaseLoop();
    held = false;
  };
  const id = newReport(() => {
    // ECHILD (someone else reaped it) leaves the outcome unknown: neither code nor signal.
    const reaped = addon().reap(pidfd.number, status) === 1;
    const [code = -1, signal = 0] = status;
    addon().unwatch(pidfd.number);
    dropReports(id);
    pidfd.close();
    unref();
    resolve({
      code: reaped && code >= 0 ? code : null,
      signal: reaped && code < 0 ? signal : null,
    });
  });
  holdLoop();
  check(addon().watch(pidfd.number, id, EPOLLIN), {
    call: "epoll_ctl",
    verb: "watch the process",
    about: String(pid),
  });
  return {
    pid,
    exited,
    kill(signal) {
      if (!pidfd.isOpen)
        throw new Fault("not_found", `process ${pid} has ended`, { about: String(pid) });
      pidfdSendSignal(pidfd, signal);
    },
    unref,
  };
}
