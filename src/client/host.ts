import { Fault } from "#base";

/** Where an engine listens. */
export type Host =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly hostname: string; readonly port: number };

export const defaultSocket = "/run/thimble/thimble.sock";

/** Where the host was named; only the default and a flag may lead to starting an engine. */
type HostSource = "flag" | "THIMBLE_HOST" | "DOCKER_HOST" | "default";

/** An engine's address, and where it was named. */
export interface HostChoice {
  readonly host: Host;
  readonly source: HostSource;
}

/** "unix:///path", "/path", "tcp://host:port" (or "http://host:port") as a host; `invalid` for any other text. */
export function parseHost(text: string): Host {
  const unix = text.startsWith("unix://") ? text.slice(7) : text.startsWith("/") ? text : undefined;
  if (unix !== undefined) {
    if (!unix.startsWith("/")) throw malformed(text, "the path of a unix socket must be absolute");
    // sun_path holds 108 bytes with its terminating zero (unix(7)).
    if (Buffer.byteLength(unix) > 107)
      throw malformed(text, "the path of a unix socket has at most 107 bytes");
    return { kind: "unix", path: unix };
  }
  const tcp = /^(?:tcp|http):\/\/(\[[0-9a-fA-F:.]+\]|[^/:[\]]+)(?::(\d{1,5}))?\/?$/.exec(text);
  if (!tcp) throw malformed(text, "use unix:///PATH or tcp://HOST:PORT");
  const port = Number(tcp[2] ?? 2375);
  if (port === 0 || port > 65535) throw malformed(text, "the port must be between 1 and 65535");
  return { kind: "tcp", hostname: (tcp[1] ?? "").replace(/^\[|\]$/g, ""), port };
}

/** The host to speak to: the flag, then THIMBLE_HOST, then DOCKER_HOST, then the socket in the run root (THIMBLE_RUN_ROOT moves it). Empty values count as absent. */
export function resolveHost(options: {
  readonly flag?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}): HostChoice {
  const { flag, env } = options;
  if (flag) return { host: parseHost(flag), source: "flag" };
  for (const source of ["THIMBLE_HOST", "DOCKER_HOST"] as const) {
    const text = env[source];
    if (text) return { host: parseHost(text), source };
  }
  const runRoot = env.THIMBLE_RUN_ROOT;
  const socket = runRoot ? `${runRoot.replace(/\/+$/, "")}/thimble.sock` : defaultSocket;
  return { host: parseHost(socket), source: "default" };
}

/** The host as -H takes it: "unix:///path" or "tcp://name:port". */
export function formatHost(host: Host): string {
  if (host.kind === "unix") return `unix://${host.path}`;
  const name = host.hostname.includes(":") ? `[${host.hostname}]` : host.hostname;
  return `tcp://${name}:${host.port}`;
}

function malformed(text: string, why: string): Fault {
  return new Fault("invalid", `"${text}" is not a host to connect to: ${why}`, { about: text });
}
