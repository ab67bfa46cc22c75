import { Fault } from "#base";
import type { BridgeNames } from "./bridge.ts";
import { parseBridgeOptions } from "./bridge-options.ts";
import type { NetworkDriver } from "./network-driver.ts";
import { ensureParent } from "./parent-link.ts";
import { parseVlanOptions, type VlanDriver } from "./vlan-options.ts";

/**
 * An interface of the host, or one that leads nowhere, on which each container has an address of its own.
 * @param namesOf the names in the kernel, given that of the interface
 */
export function vlanDriver(
  { id, kind }: { readonly id: string; readonly kind: VlanDriver },
  options: Readonly<Record<string, string>>,
  namesOf: (link: string) => BridgeNames,
): NetworkDriver {
  const vlan = parseVlanOptions(kind, options);
  const { parent, type } = vlan;
  // As Docker names the interface of a network without a parent.
  const names = namesOf(parent || `dm-${id.slice(0, 12)}`);
  const { linkPrefix } = parseBridgeOptions(linkOptions(options));
  return {
    link: names.bridge,
    stacked: type,
    hasAddress: true,
    checksSources: false,
    described: { bridge: "", hostBinding: "", linkPrefix },
    ensure: (wanted) => ensureParent(names, vlan, wanted),
    /** One interface alone can pass everything through. */
    refuseBeside(others) {
      for (const { row, driver } of others) {
        if (driver.stacked === undefined || driver.link !== parent) continue;
        if (type.mode !== "passthru" && driver.stacked.mode !== "passthru") continue;
        const message =
          type.mode === "passthru"
            ? `cannot use mode passthru, macvlan network ${row.id} is already using parent interface ${parent}`
            : `macvlan network ${row.id} is already using parent interface ${parent} in mode passthru`;
        throw new Fault("internal", message, { about: parent });
      }
    },
  };
}

/** Those that are about the network's interfaces in containers. */
function linkOptions(options: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const known = Object.entries(options).filter(([key]) => key.includes("container_iface_prefix"));
  return Object.fromEntries(known);
}
