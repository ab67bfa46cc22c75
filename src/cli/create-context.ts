import { Fault, isFault } from "#base";
import { type Client, type Dial, dial, openClient, resolveHost } from "#client";
import type { CliOptions, Context } from "./context.ts";
import { openSink, openStdin } from "./stdio.ts";
import { createStyle, type Style } from "./style.ts";

/** The world of one command line; nothing in it is opened before it is used. */
export function createContext(options: CliOptions, hostFlag: string | undefined): Context {
  const { env } = options;
  const host = resolveHost({ flag: hostFlag, env });
  const out = options.stdout ?? openSink(1, env);
  let client: Client | undefined;
  let style: Style | undefined;
  return {
    host,
    hostFlag,
    env,
    options,
    out,
    err: options.stderr ?? openSink(2, env),
    stdin: options.stdin ?? openStdin(),
    get client() {
      client ??= openClient({ host: host.host, dial: startingDial(options, host.source) });
      return client;
    },
    get style() {
      style ??= createStyle(!env.NO_COLOR && env.TERM !== "dumb" && out.isTerminal);
      return style;
    },
  };
}

/**
 * Connects, and starts an engine once when nothing listens: only behind the default
 * socket, or a unix socket that the user named with -H for this very command. An
 * environment variable may be meant for another engine, which is not ours to start.
 */
function startingDial(options: CliOptions, source: string): Dial {
  let started: Promise<void> | undefined;
  return async (host) => {
    try {
      return await dial(host);
    } catch (error) {
      const absent =
        isFault(error, "unavailable") &&
        (error.errno === "ENOENT" || error.errno === "ECONNREFUSED");
      const ours = host.kind === "unix" && (source === "default" || source === "flag");
      if (absent && !ours && source !== "flag") throw namingSource(error, source);
      if (!absent || !ours) throw error;
      started ??= options.startDaemon({ socket: host.path });
      await started;
      return await dial(host);
    }
  };
}

/** Which variable sent us there is the first thing to know when nothing is. */
function namingSource(error: Fault, source: string): Fault {
  const where = error.about ?? "";
  return new Fault("unavailable", error.message.replace(where, `${where} (from ${source})`), {
    cause: error,
    about: where,
  });
}
