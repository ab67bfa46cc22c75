import { Fault, suggest } from "#base";
import type { CapabilityMasks } from "#helper";
import { capabilityName, capabilityNumber } from "#kernel";
import type { OciCapabilities } from "./oci-spec.ts";

/** Every capability of linux/capability.h by number; CAP_CHECKPOINT_RESTORE of Linux 5.9 is the last. */
const names: readonly string[] = Array.from({ length: 41 }, (_, number) => capabilityName(number));

/** The capabilities that Docker gives every container that is not privileged. */
export const defaultCapabilities: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FSETID",
  "CAP_FOWNER",
  "CAP_MKNOD",
  "CAP_NET_RAW",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETFCAP",
  "CAP_SETPCAP",
  "CAP_NET_BIND_SERVICE",
  "CAP_SYS_CHROOT",
  "CAP_KILL",
  "CAP_AUDIT_WRITE",
];

/** Bits of the names, which are as "CAP_CHOWN"; an unknown name is an `invalid` fault. */
export function capabilityMask(capabilities: Iterable<string>): bigint {
  let mask = 0n;
  for (const name of capabilities) mask |= bitOf(name);
  return mask;
}

/** Names of the bits that are set, by number; one this version does not know is "CAP_n". */
export function capabilityNames(mask: bigint): readonly string[] {
  const found: string[] = [];
  for (let bit = 0; mask >> BigInt(bit) > 0n; bit++) {
    if ((mask >> BigInt(bit)) & 1n) found.push(capabilityName(bit));
  }
  return found;
}

/** Whether a set contains the capability, named as "CAP_CHOWN". */
export function hasCapability(mask: bigint, name: string): boolean {
  return (mask & bitOf(name)) !== 0n;
}

function bitOf(name: string): bigint {
  const bit = capabilityNumber(name);
  if (bit === undefined) throw unknown(name);
  return 1n << BigInt(bit);
}

function unknown(name: string): Fault {
  const near = suggest(name, names);
  return new Fault(
    "invalid",
    `there is no capability "${name}"${near ? `; did you mean ${near}?` : ""}`,
    { about: name },
  );
}

/** "chown" or "CAP_CHOWN" in any case as "CAP_CHOWN"; "ALL" as it is. Anything else is an `invalid` fault. */
function normalize(name: string): string {
  const upper = name.toUpperCase();
  if (upper === "ALL") return upper;
  const full = upper.startsWith("CAP_") ? upper : `CAP_${upper}`;
  if (capabilityNumber(full) === undefined) throw unknown(full);
  return full;
}

export interface CapabilityRequest {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
  /** The capabilities that the machine has. */
  readonly available: bigint;
}

/**
 * The set of a container, by Docker's rules for --cap-add and --cap-drop. A named
 * capability that the machine lacks is `invalid`, in Docker's words; defaults, ALL and
 * privileged give what there is (see `missingCapabilities`).
 */
export function chooseCapabilities(request: CapabilityRequest): readonly string[] {
  const add = request.add.map(normalize);
  const drop = request.drop.map(normalize);
  for (const name of add) {
    if (name === "ALL" || request.privileged || hasCapability(request.available, name)) continue;
    throw new Fault(
      "invalid",
      `invalid CapAdd: capability not supported by your kernel or not available in the current environment: "${name}"`,
      { about: name },
    );
  }
  return combine(request.privileged, add, drop).filter((name) =>
    hasCapability(request.available, name),
  );
}

/** The capabilities that no container on this machine can have, not even a privileged one. */
export function missingCapabilities(available: bigint): readonly string[] {
  return names.filter((name) => !hasCapability(available, name));
}

/**
 * Docker's order of precedence: privileged, add ALL, drop ALL; then an added capability beats a
 * dropped one.
 */
function combine(
  privileged: boolean,
  add: readonly string[],
  drop: readonly string[],
): readonly string[] {
  if (privileged) return names;
  if (add.includes("ALL")) return names.filter((name) => !drop.includes(name));
  if (drop.includes("ALL")) return [...new Set(add)];
  return [...new Set([...defaultCapabilities.filter((name) => !drop.includes(name)), ...add])];
}

/**
 * The five sets as masks, each cut to those that the machine has; `ambient` is cut to those both
 * permitted and inheritable, as the kernel demands.
 */
export function compileCapabilities(
  sets: OciCapabilities,
  available: bigint,
): { readonly masks: CapabilityMasks; readonly missing: readonly string[] } {
  const wanted = {
    bounding: capabilityMask(sets.bounding ?? []),
    effective: capabilityMask(sets.effective ?? []),
    permitted: capabilityMask(sets.permitted ?? []),
    inheritable: capabilityMask(sets.inheritable ?? []),
    ambient: capabilityMask(sets.ambient ?? []),
  };
  const permitted = wanted.permitted & available;
  const inheritable = wanted.inheritable & available;
  const asked = wanted.bounding | wanted.permitted | wanted.inheritable;
  return {
    masks: {
      bounding: wanted.bounding & available,
      effective: wanted.effective & permitted,
      permitted,
      inheritable,
      ambient: wanted.ambient & permitted & inheritable,
    },
    missing: capabilityNames(asked & ~available),
  };
}
