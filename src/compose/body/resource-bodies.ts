import { createHash } from "node:crypto";
import { defined } from "#base";
import type { NetworkCreateBody, VolumeCreateBody } from "#wire";
import type { Mapping } from "#yaml";
import { emitJson } from "../json.ts";
import { itemsAt, mappingAt, pairsAt, textAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";
import { network as networkShape, volume as volumeShape } from "../project/resource-shapes.ts";
import type { Shape } from "../project/shape.ts";
import { resourceLabels } from "./labels.ts";

const hashOf = (shape: Shape, part: Mapping) =>
  createHash("sha256")
    .update(emitJson(shape.print(part, "json")))
    .digest("hex");

/** What docker compose labels a network with; one with another hash is made anew. */
export const networkHash = (network: Mapping) => hashOf(networkShape, network);

/** As `networkHash`, of a volume. */
export const volumeHash = (volume: Mapping) =>
  hashOf(volumeShape, volume.has("driver") ? volume : new Map([...volume, ["driver", "local"]]));

/** What docker compose sends to create a network. */
export function networkBody(project: Project, key: string, network: Mapping): NetworkCreateBody {
  const flag = (name: string) => network.get(name) as boolean | undefined;
  return {
    Name: textAt(network, "name"),
    Driver: textAt(network, "driver"),
    Options: pairsAt(network, "driver_opts"),
    Internal: flag("internal") ?? false,
    Attachable: flag("attachable") ?? false,
    ...defined({ EnableIPv4: flag("enable_ipv4"), EnableIPv6: flag("enable_ipv6") }),
    ...defined({ IPAM: ipamOf(network) }),
    Labels: resourceLabels("network", key, { project, part: network, hash: networkHash(network) }),
  };
}

function ipamOf(network: Mapping): NetworkCreateBody["IPAM"] | undefined {
  const ipam = mappingAt(network, "ipam");
  const [driver, pools] = [textAt(ipam, "driver"), itemsAt(ipam, "config")];
  if (driver === "" && pools.length === 0) return undefined;
  return {
    Driver: driver,
    Config: pools.map((pool) => ({
      Subnet: textAt(pool, "subnet"),
      IPRange: textAt(pool, "ip_range"),
      Gateway: textAt(pool, "gateway"),
      AuxiliaryAddresses: pairsAt(pool, "aux_addresses"),
    })),
  };
}

/** What docker compose sends to create a volume. */
export function volumeBody(project: Project, key: string, volume: Mapping): VolumeCreateBody {
  return {
    Name: textAt(volume, "name"),
    Driver: textAt(volume, "driver"),
    DriverOpts: pairsAt(volume, "driver_opts"),
    Labels: resourceLabels("volume", key, { project, part: volume, hash: volumeHash(volume) }),
  };
}
