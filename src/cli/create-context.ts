import { Fault, isFault } from "#base";
import {
  type Client,
  type CliSettings,
  type Connection,
  type Dial,
  dial,
  type HostChoice,
  type HostFlags,
  openClient,
  readCliSettings,
  resolveHost,
} from "#client";
import type { CliOptions, Context } from "./context.ts";
import { openSink, openStdin } from "./stdio.ts";
import { createStyle, type Style } from "./style.ts";

/** The world of one command line; nothing in it is opened before it is used. */
export function createContext(options: CliOptions, hostFlags: HostFlags): Context {
  const { env } = options;
  const out = options.stdout ?? openSink(1, env);
  const spares: Promise<Connection | undefined>[] = [];
  let host: HostChoice | undefined;
  let client: Client | undefined;
  let style: Style | undefined;
  let settings: CliSettings | undefined;
  const context: Context = {
    hostFlags,
    env,
    options,
    out,
    err: options.stderr ?? openSink(2, env),
    stdin: options.stdin ?? openStdin(),
    get host() {
      host ??= resolveHost({ flags: hostFlags, env });
      return host;
    },
    get client() {
      client ??= openClient({
        host: context.host.host,
        dial: withSpares(spares, startingDial(options, context.host)),
        headers: context.settings.headers,
      });
      return client;
    },
    dial: () => startingDial(options, context.host)(context.host.host),
    expectCalls(count) {
      const target = context.host.host;
      // Each would be a program, which may ask for a password.
      if (target.kind === "ssh") return;
      for (let i = 0; i < count; i++) spares.push(dial(target).catch(() => undefined));
    },
    get settings() {
      settings ??= readCliSettings(env);
      return settings;
    },
    get style() {
      style ??= createStyle(!env.NO_COLOR && env.TERM !== "dumb" && out.isTerminal);
      return style;
    },
  };
  return context;
}

/** Takes the connections that were made ahead first. */
function withSpares(spares: Promise<Connection | undefined>[], make: Dial): Dial {
  return async (host) => (await spares.shift()) ?? (await make(host));
}

/**
 * Connects, and starts an engine once when nothing listens: behind the default socket,
 * or another one in the same run root that -H names. Any other socket is of an engine
 * with other roots, or meant for another program: that is not ours to start.
 */
function startingDial(options: CliOptions, choice: HostChoice): Dial {
  let started: Promise<void> | undefined;
  return async (host) => {
    try {
      return await dial(host);
    } catch (error) {
      const absent =
        isFault(error, "unavailable") &&
        (error.errno === "ENOENT" || error.errno === "ECONNREFUSED");
      if (!absent) throw error;
      if (!isOurs(choice, options.env)) throw withAdvice(error, choice);
      started ??= options.startDaemon({ socket: choice.host.path });
      await started;
      return await dial(host);
    }
  };
}

type UnixChoice = HostChoice & { readonly host: { readonly kind: "unix" } };

function isOurs(choice: HostChoice, env: CliOptions["env"]): choice is UnixChoice {
  if (choice.host.kind !== "unix") return false;
  if (choice.source === "default") return true;
  const own = resolveHost({ flags: { context: "default" }, env }).host;
  const directory = (path: string) => path.slice(0, path.lastIndexOf("/"));
  return (
    choice.source === "flag" &&
    own.kind === "unix" &&
    directory(choice.host.path) === directory(own.path)
  );
}

/** Which variable sent us there, or how an engine comes to listen there. */
function withAdvice(error: Fault, { host, source }: HostChoice): Fault {
  const where = error.about ?? "";
  const message =
    source === "flag" && host.kind === "unix"
      ? `${error.message}; to start one there: thimble daemon -H ${where} --data-root DIR --run-root DIR`
      : error.message.replace(where, source === "flag" ? where : `${where} (from ${source})`);
  return new Fault("unavailable", message, { cause: error, about: where });
}
