import { lookup } from "node:dns/promises";
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ListenAddress, refuseExposed, type TlsSettings } from "#api";
import { defined, Fault } from "#base";
import { readCertificate } from "#certificate";

type Env = Readonly<Record<string, string | undefined>>;

/** What the flags and the configuration file say of TLS. */
interface TlsChoice {
  readonly tls?: boolean | undefined;
  /** Implies `tls`. */
  readonly tlsverify?: boolean | undefined;
  readonly tlscacert?: string | undefined;
  readonly tlscert?: string | undefined;
  readonly tlskey?: string | undefined;
}

export interface ListenChoice extends TlsChoice {
  /** As -H takes them. */
  readonly hosts: readonly string[];
  /** The name or the number of the group of unix sockets. */
  readonly group?: string | undefined;
  readonly configRoot: string;
  readonly env: Env;
}

/** Where the engine is to listen. Reads certificates; makes nothing. */
export async function listenAddresses(choice: ListenChoice): Promise<readonly ListenAddress[]> {
  const gid = choice.group ? groupId(choice.group) : undefined;
  const tls = await tlsSettings(choice);
  const addresses: ListenAddress[] = [];
  for (const host of new Set(choice.hosts)) {
    const [scheme = "", rest = ""] = splitScheme(host);
    if (scheme === "unix")
      addresses.push({ kind: "unix", path: unixPath(host, rest), mode: 0o660, gid });
    else if (scheme === "tcp") addresses.push(await tcpAddress(host, rest, tls));
    else if (scheme === "fd")
      for (const fd of inheritedSockets(host, rest, choice.env))
        addresses.push({ kind: "inherited", fd, tls });
    else throw malformed(host, "use unix:///PATH, tcp://HOST:PORT or fd://");
  }
  return addresses;
}

function splitScheme(host: string): readonly string[] {
  if (host.startsWith("/")) return ["unix", host];
  const [, scheme, rest] = /^([a-z]+):\/\/(.*)$/.exec(host) ?? [];
  return scheme === undefined ? [] : [scheme, rest ?? ""];
}

function unixPath(host: string, path: string): string {
  if (path.startsWith("/")) return path;
  throw malformed(host, "the path of a unix socket must be absolute");
}

async function tcpAddress(
  text: string,
  rest: string,
  tls: TlsSettings | undefined,
): Promise<ListenAddress> {
  const [, name, digits] = /^(\[[0-9a-fA-F:.]+\]|[^/:[\]]*)(?::(\d{1,5}))?\/?$/.exec(rest) ?? [];
  if (name === undefined) throw malformed(text, "use tcp://HOST:PORT");
  const port = Number(digits ?? (tls ? 2376 : 2375));
  if (port > 65535) throw malformed(text, "the port must be at most 65535");
  const host = name.replace(/^\[|\]$/g, "") || "127.0.0.1";
  const { address } = await lookup(host).catch((cause: Error) => {
    throw malformed(text, `the host ${host} cannot be found (${cause.message})`);
  });
  if (!tls) refuseExposed(text, address);
  return { kind: "tcp", host: address, port, tls };
}

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const firstInherited = 3;

/** "fd://" is each socket that the process was started with, "fd://NAME" those of a name, "fd://3" one by its number. */
function inheritedSockets(host: string, wanted: string, env: Env): number[] {
  const count = env.LISTEN_PID === String(process.pid) ? Number(env.LISTEN_FDS ?? 0) : 0;
  if (!(count > 0))
    throw malformed(
      host,
      "this process was started with no socket (LISTEN_FDS); systemd starts it with those of its socket unit",
    );
  const names = (env.LISTEN_FDNAMES ?? "").split(":");
  const all = Array.from({ length: count }, (_, index) => firstInherited + index);
  const found = all.filter((fd, index) => ["", "*", String(fd), names[index]].includes(wanted));
  if (found.length > 0) return found;
  throw malformed(host, `this process was started with ${count} sockets, and none is ${wanted}`);
}

function malformed(host: string, why: string): Fault {
  return new Fault("invalid", `cannot listen on ${host}: ${why}`, { about: host });
}

/** What TLS is spoken with, where it is. Reads certificates; makes nothing. */
export async function tlsSettings(
  choice: TlsChoice & Pick<ListenChoice, "configRoot">,
): Promise<TlsSettings | undefined> {
  const { tlsverify = false, tls = tlsverify, configRoot } = choice;
  const given = (["tlscacert", "tlscert", "tlskey"] as const).find((name) => choice[name]);
  if (!tls && !tlsverify) {
    if (given === undefined) return undefined;
    throw new Fault(
      "invalid",
      `--${given} has no effect without --tls or --tlsverify: add --tlsverify, so that only clients with a certificate may connect`,
    );
  }
  const directory = join(configRoot, "tls");
  const {
    tlscert = join(directory, "server-cert.pem"),
    tlskey = join(directory, "server-key.pem"),
  } = choice;
  const pair = await readCertificate(tlscert, tlskey);
  if (!tlsverify) return pair;
  const authority = choice.tlscacert ?? join(directory, "ca.pem");
  const clientAuthority = await readFile(authority, "utf8").catch((cause: Error) => {
    throw new Fault("invalid", `cannot read ${authority}: ${cause.message}`, {
      about: authority,
      cause,
    });
  });
  return { ...pair, ...defined({ clientAuthority }) };
}

/** The number of a group of this machine. `invalid` when it has none of that name. */
function groupId(name: string): number {
  if (/^\d{1,9}$/.test(name)) return Number(name);
  for (const line of readFileSync("/etc/group", "utf8").split("\n")) {
    const [known, , gid] = line.split(":");
    if (known === name && gid) return Number(gid);
  }
  throw new Fault(
    "invalid",
    `there is no group ${name} for the socket: make it (groupadd ${name}), or choose another with --group`,
    { about: name },
  );
}
