import { defined, Fault } from "#base";
import { type BridgeNames, ensureBridge } from "./bridge.ts";
import { parseBridgeOptions } from "./bridge-options.ts";
import type { NetworkDriver } from "./network-driver.ts";

/**
 * A bridge of the network's own.
 * @param namesOf the names in the kernel, given the one that a user chose for the bridge
 */
export function bridgeDriver(
  driverOptions: Readonly<Record<string, string>>,
  namesOf: (chosen?: string) => BridgeNames,
): NetworkDriver {
  const options = parseBridgeOptions(driverOptions);
  const {
    bridge: chosen,
    mtu,
    connectsContainers,
    masquerades,
    hasAddress,
    checksSources,
  } = options;
  const names = namesOf(chosen);
  return {
    link: names.bridge,
    filter: { connectsContainers, masquerades },
    hasAddress,
    checksSources,
    described: {
      bridge: names.bridge,
      hostBinding: options.hostBinding,
      linkPrefix: options.linkPrefix,
    },
    ensure: (wanted) => ensureBridge(names, { ...wanted, ...defined({ mtu }) }),
    /** A bridge is of one network alone, also while it is not there. */
    refuseBeside(others) {
      const owner = others.find(({ driver }) => driver.link === chosen);
      if (owner === undefined || chosen === undefined) return;
      throw new Fault(
        "conflict",
        `the network ${owner.row.name} has the bridge ${chosen} already; give this network's bridge another name`,
        { about: chosen },
      );
    },
  };
}
