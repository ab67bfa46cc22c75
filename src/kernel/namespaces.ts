import { addon } from "./addon.ts";
import { Fd } from "./fd.ts";
import { O_RDONLY, openat2 } from "./files.ts";
import { packStrings } from "./pack.ts";
import { runJob } from "./reports.ts";

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
