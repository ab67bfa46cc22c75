import { Fault } from "#base";
import { ipvlanFlags, ipvlanModes, macvlanModes, type StackedKind } from "#kernel";

/** The drivers whose containers are on an interface of the host, each with an address of its own there. */
export type VlanDriver = "macvlan" | "ipvlan";

/** What the driver options of such a network (Docker's `--opt KEY=VALUE`) say. */
export interface VlanOptions {
  /** The interface of the host; "" for one that leads nowhere. */
  readonly parent: string;
  readonly type: StackedKind;
}

/** The meaning of driver options; a fault, in Docker's words, for a value that has none. */
export function parseVlanOptions(
  driver: VlanDriver,
  options: Readonly<Record<string, string>>,
): VlanOptions {
  const parent = options.parent ?? "";
  if (parent === "lo")
    throw new Fault("internal", `loopback interface is not a valid ${driver} parent link`);
  const named = options[`${driver}_mode`] ?? "";
  const otherwise = driver === "macvlan" ? "bridge" : "l2";
  const mode = named === "" ? otherwise : named;
  if (driver === "macvlan" && isKey(macvlanModes, mode))
    return { parent, type: { kind: driver, mode } };
  if (driver === "ipvlan" && isKey(ipvlanModes, mode)) {
    const flag = options.ipvlan_flag || "bridge";
    if (isKey(ipvlanFlags, flag)) return { parent, type: { kind: driver, mode, flag } };
    throw new Fault(
      "internal",
      `requested ipvlan flag '${flag}' is not valid, 'bridge' is the ipvlan driver default`,
    );
  }
  throw new Fault(
    "internal",
    `requested ${driver} mode '${mode}' is not valid, '${otherwise}' mode is the ${driver} driver default`,
  );
}

function isKey<Key extends string>(of: Readonly<Record<Key, number>>, text: string): text is Key {
  return Object.hasOwn(of, text);
}
