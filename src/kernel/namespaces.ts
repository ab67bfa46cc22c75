import { addon } from "./addon.ts";
import { check } from "./errno.ts";
import { Fd } from "./fd.ts";
import { O_RDONLY, openat2 } from "./files.ts";
import { packStrings } from "./pack.ts";
import { dropReports, newReport, runJob } from "./reports.ts";

/** Sysctls below net by their names ("net.ipv4.ip_forward"). */
export type NetworkSettings = Readonly<Record<string, string>>;

/**
 * A new, empty network namespace; it lives as long as a descriptor of it or a process in it.
 * The `settings` are written inside before the namespace is handed out; those that this kernel
 * lacks are skipped.
 */
export async function newNetworkNamespace(settings: NetworkSettings = {}): Promise<Fd> {
  const block = settingsBlock(settings);
  const { value } = await runJob(
    (id) => addon().newNetworkNamespace(id, block),
    { call: "unshare", verb: "make a network namespace" },
    cannotWrite,
  );
  return new Fd(value);
}

/** Writes settings inside a network namespace; those that this kernel lacks are skipped. */
export async function writeNamespaceSettings(netns: Fd, settings: NetworkSettings): Promise<void> {
  const block = settingsBlock(settings);
  await runJob(
    (id) => addon().writeNamespaceSettings(id, netns.number, block),
    { call: "setns", verb: "write sysctls in a network namespace" },
    cannotWrite,
  );
}

/**
 * A TCP connection from inside a network namespace to an address of 4 or 16 bytes, as a non-blocking
 * socket. A fault with the errno of connect(2); the reason of the signal when it is aborted first.
 */
export async function connectInNamespace(
  netns: Fd,
  { address, port }: { readonly address: Uint8Array; readonly port: number },
  signal: AbortSignal,
): Promise<Fd> {
  const { value } = await runJob(
    (id) => addon().connectInNamespace(id, netns.number, address, port),
    connecting,
  );
  const socket = new Fd(value);
  try {
    await writable(socket, signal);
    check(addon().socketError(socket.number), connecting);
    return socket;
  } catch (error) {
    socket.close();
    throw error;
  }
}

const connecting = { call: "connect", verb: "connect in a network namespace" };

const EPOLLOUT = 4;

/** Settles once a socket has connected, or has failed to. */
async function writable(socket: Fd, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const abort = () => reject(signal.reason);
  const id = newReport(() => resolve());
  signal.addEventListener("abort", abort, { once: true });
  try {
    check(addon().watch(socket.number, id, EPOLLOUT), {
      call: "epoll_ctl",
      verb: "watch a descriptor",
    });
    await promise;
  } finally {
    signal.removeEventListener("abort", abort);
    dropReports(id);
    addon().unwatch(socket.number);
  }
}

/** A dot within the name of an interface is a slash in that of the sysctl (sysctl(8)). */
function settingsBlock(settings: NetworkSettings): Uint8Array {
  const swapped = { ".": "/", "/": "." } as const;
  const pairs = Object.entries(settings).flatMap(([name, value]) => [
    `/proc/sys/${name.replace(/[./]/g, (each) => swapped[each as "." | "/"])}`,
    value,
  ]);
  return packStrings(pairs, "a sysctl");
}

function cannotWrite(bytes: Uint8Array): string {
  return `cannot write ${new TextDecoder().decode(bytes)}`;
}

/** The network namespace of a process, or of this one; `not_found` when the process has ended. */
export function networkNamespaceOf(pid: number | "self"): Fd {
  return openat2(undefined, `/proc/${pid}/ns/net`, { flags: O_RDONLY });
}
