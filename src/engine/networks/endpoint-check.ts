import { Fault } from "#base";
import { type EndpointBody, endpointFaults, isMac, readEndpoint, refuseEndpoint } from "#container";
import { containsAddress, endpointSettings, joinFaults, type NetworkDescription } from "#network";

/**
 * Whether a container can have such an endpoint in a network: `unsupported` for what this engine
 * lacks, `invalid`, in Docker's words, for the rest.
 */
export function checkEndpoint(network: NetworkDescription, settings: EndpointBody): void {
  const [refusal] = refuseEndpoint(network.name, settings);
  if (refusal) throw new Fault("unsupported", `this option is not supported yet: ${refusal}`);
  const mac = settings.MacAddress ?? "";
  if (mac !== "" && !isMac(mac)) throw new Fault("invalid", `invalid MAC address ${mac}`);
  const faults = [...faultsIn(network, settings)];
  if (faults.length === 0) return;
  throw new Fault("invalid", `invalid endpoint settings:\n${joinFaults(faults)}`);
}

/** The order is Docker's. */
function* faultsIn(network: NetworkDescription, settings: EndpointBody): Generator<string> {
  const { address, address6, aliases, links, rate } = readEndpoint(settings);
  const asked = [address, address6].filter((each) => each !== "");
  if (aliases.length > 0 && network.isPredefined)
    yield "network-scoped alias is supported only for containers in user defined networks";
  if (links.length > 0 && network.isPredefined)
    yield "links of an endpoint are supported in user defined networks only";
  if (asked.length > 0 && network.isPredefined)
    yield "user specified IP address is supported on user defined networks only";
  yield* endpointFaults(settings, endpointSettings);
  if (rate > 0 && network.driver !== "bridge")
    yield `the network ${network.name} has no bridge (${network.driver}), so that no rate can be kept in it`;
  if (asked.length > 0 && network.subnets.length === 0)
    yield "user specified IP address is supported only when connecting to networks with user configured subnets";
  for (const each of network.subnets.length > 0 ? asked : [])
    if (!network.subnets.some(({ subnet }) => containsAddress(subnet, each)))
      yield `no configured subnet or ip-range contain the IP address ${each}`;
    else if (each.includes(":") ? !network.hasIpv6 : !network.hasIpv4)
      yield `the network ${network.name} has no IPv${each.includes(":") ? 6 : 4}, so that no container can have the address ${each} in it`;
}
