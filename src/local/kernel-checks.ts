import { readFileSync } from "node:fs";
import {
  canOpen,
  capabilities,
  capabilityName,
  capabilityNumber,
  kernelAtLeast,
  kernelVersion,
  lastCapability,
} from "#kernel";
import { type Finding, finding } from "./finding.ts";

/** The version of the kernel, and the features that containers use. */
export function kernelFindings(): Finding[] {
  const { release } = kernelVersion();
  const namespaces = Number(readOr("/proc/sys/user/max_user_namespaces", "0"));
  const restricted = readOr("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "0") === "1";
  const seccomp = readOr("/proc/sys/kernel/seccomp/actions_avail", "");
  return [
    finding("Kernel", {
      name: "Linux",
      // mount_setattr(2), the last system call that the launcher cannot do without.
      ok: kernelAtLeast(5, 12),
      needed: true,
      found: `${release} (${process.arch})`,
      without: "containers cannot be started: mount_setattr(2) came with Linux 5.12",
      fix: "install a newer kernel; Debian 12 has 6.1",
    }),
    finding("Kernel", {
      name: "seccomp",
      ok: seccomp.includes("errno"),
      needed: true,
      found: seccomp === "" ? "not there" : seccomp,
      without: "system calls of containers cannot be filtered",
      fix: "use a kernel with CONFIG_SECCOMP_FILTER",
    }),
    finding("Kernel", {
      name: "user namespaces",
      ok: namespaces > 0 && !restricted,
      found: restricted ? "restricted by AppArmor" : `at most ${namespaces}`,
      without: "no --userns, and no engine without root",
      fix: restricted
        ? "sysctl kernel.apparmor_restrict_unprivileged_userns=0"
        : "sysctl user.max_user_namespaces=15000",
    }),
    finding("Kernel", {
      name: "KVM",
      ok: canOpen("/dev/kvm"),
      found: canOpen("/dev/kvm") ? "/dev/kvm" : "cannot open /dev/kvm",
      without: "no isolation by virtual machines",
      fix: "load kvm-intel or kvm-amd; inside a machine of a cloud, ask for nested virtualization",
    }),
  ];
}

/** The capabilities that the engine itself uses. */
const engineNeeds = [
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_ADMIN",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_ADMIN",
  "SYS_CHROOT",
] as const;

/** The features that need a capability which this machine withholds. */
const withheld: Readonly<Record<string, string>> = {
  SYS_RESOURCE: "no --ulimit above the hard limits of the engine, no negative --oom-score-adj",
  NET_RAW: "no ping in containers, as they have it by default",
  AUDIT_WRITE: "no audit records from containers, as they may write by default",
  SYS_PTRACE: "no --cap-add SYS_PTRACE",
  SYS_TIME: "no --cap-add SYS_TIME",
  SYS_MODULE: "no --cap-add SYS_MODULE",
};

/** The capabilities of this process, as an engine that it started would have them. */
export function privilegeFindings(): Finding[] {
  const { effective, bounding } = capabilities();
  const has = (mask: bigint, name: string) =>
    ((mask >> BigInt(capabilityNumber(name) ?? 63)) & 1n) === 1n;
  const lacking = engineNeeds.filter((name) => !has(effective, name));
  const uid = process.getuid?.() ?? 0;
  const found: Finding[] = [
    finding("Privileges", {
      name: "capabilities of the engine",
      ok: lacking.length === 0,
      needed: true,
      found: lacking.length === 0 ? `all that it needs (uid ${uid})` : `not ${lacking.join(", ")}`,
      without: "the engine cannot mount, make devices or set up networks",
      fix:
        uid === 0
          ? "run it outside the container or sandbox it is in"
          : "run as root: sudo thimble doctor",
    }),
  ];
  const all = Array.from({ length: lastCapability() + 1 }, (_, number) => number);
  const outside = all.filter((number) => ((bounding >> BigInt(number)) & 1n) === 0n);
  const names = outside.map((number) => capabilityName(number).replace(/^CAP_/, ""));
  found.push(
    finding("Privileges", {
      name: "bounding set",
      ok: names.length === 0,
      found: names.length === 0 ? "complete" : `lacks ${names.join(", ")}`,
      without: names
        .map((name) => withheld[name] ?? `no --cap-add ${name}`)
        .concat("--privileged grants the remaining ones")
        .join("; "),
      fix: "start the engine from an environment that has them (not inside another container)",
    }),
  );
  return found;
}

/** The text of a file without blanks at its ends; `fallback` when it cannot be read. */
export function readOr(path: string, fallback: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return fallback;
  }
}
