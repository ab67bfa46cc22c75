import type { Context } from "./context.ts";

/**
 * The signals that docker passes on: all that a program can catch, but SIGCHLD, SIGPIPE and SIGURG,
 * which are ours.
 */
const proxied = [
  "SIGHUP",
  "SIGINT",
  "SIGQUIT",
  "SIGUSR1",
  "SIGUSR2",
  "SIGALRM",
  "SIGTERM",
  "SIGCONT",
  "SIGTSTP",
  "SIGTTIN",
  "SIGTTOU",
  "SIGXCPU",
  "SIGWINCH",
] as const;

export interface SignalProxy {
  /** From now on signals go to this container; those that came before are sent now. */
  target(ref: string): void;
  stop(): void;
}

/** Catches signals for a container to be. The third SIGINT or SIGTERM ends us, as in docker. */
export function openSignalProxy(context: Context): SignalProxy {
  let ref: string | undefined;
  const waiting: string[] = [];
  let interrupts = 0;
  const send = (signal: string) => {
    if (ref === undefined) {
      waiting.push(signal);
      return;
    }
    // A container that has ended meanwhile needs no signal.
    context.client.containers.kill(ref, signal.slice(3)).catch(() => undefined);
  };
  const handler = (signal: string) => {
    if ((signal === "SIGINT" || signal === "SIGTERM") && ++interrupts === 3) {
      const text = "\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n";
      void context.err.write(text).finally(() => process.exit(1));
    }
    send(signal);
  };
  for (const signal of proxied) process.on(signal, handler);
  return {
    target(id) {
      ref = id;
      for (const signal of waiting.splice(0)) send(signal);
    },
    stop() {
      for (const signal of proxied) process.off(signal, handler);
    },
  };
}
