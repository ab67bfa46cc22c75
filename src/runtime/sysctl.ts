import { Fault } from "#base";
import type { NamespaceKind } from "#helper";

const ipcNames = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Which namespace a sysctl belongs to; undefined: the whole host's. */
function namespaceOf(name: string): NamespaceKind | undefined {
  if (name.startsWith("net.")) return "net";
  if (ipcNames.has(name) || name.startsWith("fs.mqueue.")) return "ipc";
  if (name === "kernel.domainname" || name === "kernel.hostname") return "uts";
  return undefined;
}

/** Faults for a sysctl that would change the host, or that has no shape of one. `own` are the namespaces a container does not share with the host. */
export function checkSysctls(
  sysctls: Readonly<Record<string, string>>,
  own: ReadonlySet<NamespaceKind>,
): void {
  for (const [key, value] of Object.entries(sysctls)) {
    const name = key.replaceAll("/", ".");
    if (!/^[a-z0-9_.*-]+$/i.test(name) || name.includes(".."))
      throw new Fault("invalid", `linux.sysctl: "${key}" is not the name of a sysctl`, {
        about: key,
      });
    if (value.includes("\0") || value.length > 4096)
      throw new Fault("invalid", `linux.sysctl: the value of ${key} is not acceptable`);
    const kind = namespaceOf(name);
    if (!kind)
      throw new Fault(
        "invalid",
        `linux.sysctl: ${key} belongs to no namespace and would change the host; set it there`,
        { about: key },
      );
    if (!own.has(kind))
      throw new Fault(
        "invalid",
        `linux.sysctl: ${key} would change the host, because this container shares its ${kind} namespace`,
        { about: key },
      );
  }
}
