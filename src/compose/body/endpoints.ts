import type { ContainerCreateBody } from "#container";
import { isMapping, type Mapping } from "#yaml";
import { mappingAt, numberAt, pairsAt, textAt, textsAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";
import { byBytes } from "../value.ts";
import { mutable } from "./resources.ts";

interface Endpoints {
  readonly mode: string;
  readonly networking?: ContainerCreateBody["NetworkingConfig"];
}

/** The keys of a service's networks, the one with the highest priority first. */
function networksByPriority(service: Mapping): string[] {
  const networks = mappingAt(service, "networks");
  const priority = (key: string) => numberAt(mappingAt(networks, key), "priority");
  return [...networks.keys()].sort((a, b) => priority(b) - priority(a) || byBytes(a, b));
}

/** The networks of a container: its mode, and what it is like in each. */
export function endpointsOf(
  project: Project,
  service: Mapping,
  { aliases, links }: { aliases: readonly string[]; links: readonly string[] },
): Endpoints {
  const mode = textAt(service, "network_mode");
  if (mode !== "") return { mode };
  const keys = networksByPriority(service);
  const [first] = keys;
  if (first === undefined) return { mode: "none" };
  const nameOf = (key: string) => textAt(project.networks.get(key) ?? new Map(), "name") || key;
  const entries = keys.map((key) => {
    const config = mappingAt(service, "networks").get(key);
    const own: Mapping = isMapping(config) ? config : new Map();
    const address = textAt(own, "ipv4_address");
    const mac = textAt(own, "mac_address") || (key === first ? textAt(service, "mac_address") : "");
    const endpoint = {
      ...(isMapping(config) && {
        IPAMConfig: {
          IPv4Address: address,
          IPv6Address: textAt(own, "ipv6_address"),
          LinkLocalIPs: mutable(textsAt(own, "link_local_ips")),
        },
      }),
      Links: [...links],
      Aliases: [...aliases, ...(textsAt(own, "aliases") ?? [])],
      MacAddress: mac,
      IPAddress: address,
      DriverOpts: endpointOptions(own),
      GwPriority: numberAt(own, "gw_priority"),
    };
    return [nameOf(key), endpoint] as const;
  });
  return { mode: nameOf(first), networking: { EndpointsConfig: Object.fromEntries(entries) } };
}

/** A name of an interface is an option of Docker's bridge driver. */
function endpointOptions(own: Mapping): Record<string, string> | undefined {
  const name = textAt(own, "interface_name");
  const options = pairsAt(own, "driver_opts");
  return name === "" ? options : { ...options, "com.docker.network.endpoint.ifname": name };
}
