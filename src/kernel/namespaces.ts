import { addon } from "./addon.ts";
import { Fd } from "./fd.ts";
import { O_RDONLY, openat2 } from "./files.ts";
import { packStrings } from "./pack.ts";
import { runJob } from "./reports.ts";

/**
 * A new, empty network namespace; it lives as long as a descriptor of it or a process in it.
 * `settings` are sysctls below net ("net.ipv4.ip_forward"), written inside before the namespace is
 * handed out; those that this kernel lacks are skipped.
 */
export async function newNetworkNamespace(
  settings: Readonly<Record<string, string>> = {},
): Promise<Fd> {
  const pairs = Object.entries(settings).flatMap(([name, value]) => [
    `/proc/sys/${name.replaceAll(".", "/")}`,
    value,
  ]);
  const { value } = await runJob(
    (id) => addon().newNetworkNamespace(id, packStrings(pairs, "a sysctl")),
    { call: "unshare", verb: "make a network namespace" },
    (bytes) => `cannot write ${new TextDecoder().decode(bytes)}`,
  );
  return new Fd(value);
}

/** The network namespace of a process, or of this one; `not_found` when the process has ended. */
export function networkNamespaceOf(pid: number | "self"): Fd {
  return openat2(undefined, `/proc/${pid}/ns/net`, { flags: O_RDONLY });
}
