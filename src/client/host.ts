import { Fault } from "#base";
import { contextHost, currentContext } from "./context-store.ts";
import { type ClientTls, resolveTls, type TlsFlags } from "./tls-choice.ts";

/** Where an engine listens, and how it is reached. */
export type Host =
  | { readonly kind: "unix"; readonly path: string }
  | {
      readonly kind: "tcp";
      readonly hostname: string;
      readonly port: number;
      /** Absent: plain HTTP. */
      readonly tls?: ClientTls;
    }
  | {
      /** The program ssh, which runs `system dial-stdio` at the other end. */
      readonly kind: "ssh";
      readonly user?: string;
      readonly hostname: string;
      readonly port?: number;
      /** A unix socket there; absent: the one that is usual there. */
      readonly path?: string;
    };

/** A host that is reached by a socket of this process. */
export type DirectHost = Exclude<Host, { kind: "ssh" }>;

export const defaultSocket = "/run/thimble/thimble.sock";

/** Where the host was named; only the default and a flag may lead to starting an engine. */
type HostSource = "flag" | "THIMBLE_HOST" | "DOCKER_HOST" | "context" | "default";

/** An engine's address, and where it was named. */
export interface HostChoice {
  readonly host: Host;
  readonly source: HostSource;
}

/** "unix:///path", "/path", "tcp://host:port" (or "http://host:port"), "ssh://user@host" as a host; `invalid` for any other text. */
export function parseHost(text: string): Host {
  const unix = text.startsWith("unix://") ? text.slice(7) : text.startsWith("/") ? text : undefined;
  if (unix !== undefined) return { kind: "unix", path: socketPath(text, unix) };
  if (text.startsWith("ssh://")) return parseSsh(text);
  const tcp = /^(?:tcp|http):\/\/(\[[0-9a-fA-F:.]+\]|[^/:[\]]+)(?::(\d{1,5}))?\/?$/.exec(text);
  if (!tcp) throw malformed(text, "use unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST");
  const port = portOf(text, tcp[2] ?? "2375");
  return { kind: "tcp", hostname: (tcp[1] ?? "").replace(/^\[|\]$/g, ""), port };
}

function socketPath(text: string, path: string): string {
  if (!path.startsWith("/")) throw malformed(text, "the path of a unix socket must be absolute");
  // sun_path holds 108 bytes with its terminating zero (unix(7)).
  if (Buffer.byteLength(path) > 107)
    throw malformed(text, "the path of a unix socket has at most 107 bytes");
  return path;
}

function portOf(text: string, digits: string): number {
  const port = Number(digits);
  if (port === 0 || port > 65535) throw malformed(text, "the port must be between 1 and 65535");
  return port;
}

/** A name that begins with a dash would be an option of ssh. */
const sshForm =
  /^ssh:\/\/(?:([^@/:\s-][^@/:\s]*)@)?(\[[0-9a-fA-F:.]+\]|[^@/:[\]\s-][^@/:[\]\s]*)(?::(\d{1,5}))?(\/.*)?$/;

function parseSsh(text: string): Host {
  const form = sshForm.exec(text);
  if (!form)
    throw malformed(text, "use ssh://USER@HOST, with :PORT or /PATH/OF/SOCKET where needed");
  const [, user, name = "", digits, path] = form;
  return {
    kind: "ssh",
    ...(user && { user }),
    hostname: name.replace(/^\[|\]$/g, ""),
    ...(digits && { port: portOf(text, digits) }),
    ...(path && path !== "/" && { path: socketPath(text, path) }),
  };
}

/** What a command line says of the engine to speak to. */
export interface HostFlags {
  /** -H */
  readonly host?: string | undefined;
  /** --context */
  readonly context?: string | undefined;
  readonly tls?: TlsFlags | undefined;
}

interface HostRequest {
  readonly flags?: HostFlags;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The name of the context in use, whether or not there is one of that name; "default" where a host is given. */
export function contextName({ flags = {}, env }: HostRequest): string {
  if (flags.host) return "default";
  if (flags.context) return flags.context;
  if (env.THIMBLE_HOST || env.DOCKER_HOST) return "default";
  return currentContext(env) || "default";
}

/**
 * The host to speak to: the flags, then THIMBLE_HOST, DOCKER_HOST, DOCKER_CONTEXT, the current
 * context of config.json, and last the socket in the run root (THIMBLE_RUN_ROOT moves it), which is
 * the context "default". Empty values count as absent. `not_found` for a context that is missing.
 */
export function resolveHost(request: HostRequest): HostChoice {
  const { flags = {}, env } = request;
  if (flags.host && flags.context)
    throw new Fault("invalid", "conflicting options: cannot specify both --host and --context");
  const given = (["THIMBLE_HOST", "DOCKER_HOST"] as const).find((name) => env[name]);
  const named = contextName(request);
  if (named !== "default") {
    const { host, tls } = contextHost(named, env);
    const parsed = parseHost(host);
    return { host: parsed.kind === "tcp" && tls ? { ...parsed, tls } : parsed, source: "context" };
  }
  const tls = resolveTls(flags.tls ?? {}, env);
  const choose = (text: string, source: HostSource): HostChoice => {
    const host = parseHost(text);
    return { host: host.kind === "tcp" && tls ? { ...host, tls } : host, source };
  };
  if (flags.host) return choose(flags.host, "flag");
  if (given && !flags.context) return choose(env[given] ?? "", given);
  const runRoot = env.THIMBLE_RUN_ROOT;
  const socket = runRoot ? `${runRoot.replace(/\/+$/, "")}/thimble.sock` : defaultSocket;
  return { host: parseHost(socket), source: "default" };
}

/** The host as -H takes it: "unix:///path", "tcp://name:port" or "ssh://user@name". */
export function formatHost(host: Host): string {
  if (host.kind === "unix") return `unix://${host.path}`;
  const name = host.hostname.includes(":") ? `[${host.hostname}]` : host.hostname;
  if (host.kind === "tcp") return `tcp://${name}:${host.port}`;
  const { user, port, path = "" } = host;
  return `ssh://${user ? `${user}@` : ""}${name}${port ? `:${port}` : ""}${path}`;
}

function malformed(text: string, why: string): Fault {
  return new Fault("invalid", `"${text}" is not a host to connect to: ${why}`, { about: text });
}
