/**
 * network: the bridges, the addresses, the ports and the names of containers.
 *
 * Networks by name, each with address books of IPv4 and IPv6: bridges with packet filter
 * rules, and macvlan and ipvlan over an interface of the host (`openNetworks`); namespaces
 * made ahead; ports of the host that lead to containers (`openPorts`); the names under which containers find each other (`ContainerNames`), and
 * the files they resolve names with, as pure functions. No command is run: rtnetlink and
 * nf_tables over #kernel, and the helper for what must outlive the engine.
 *
 * An endpoint is an interface in a namespace, and a port of a bridge where there is one.
 * The kernel removes it in the background when the namespace ends; from a namespace that
 * goes on it is taken out.
 */

export { ContainerNames, type NamedContainer } from "./container-names.ts";
export type {
  Endpoint,
  KnownEndpoint,
  NetworkDescription,
  NetworkRequest,
  Networks,
  NetworksOptions,
} from "./contract.ts";
export { networkCrashPoints, portCrashPoints } from "./crash-point.ts";
export { checkNetworkDefaults, type NetworkDefaults } from "./default-bridge.ts";
export { type Addresses, type EndpointWish, endpointSettings, setGateways } from "./endpoint.ts";
export { type HostsOptions, ownNames, parseExtraHost, renderHosts } from "./hosts.ts";
export { clearNetworkFault, type NetworkFault, setNetworkFault } from "./network-fault.ts";
export type { NetworkSettings } from "./network-store.ts";
export { openNetworks } from "./networks.ts";
export type {
  PortProtocol,
  Ports,
  PortTarget,
  Publication,
  PublishedPort,
  WantedPort,
} from "./port-contract.ts";
export type { PortExplanation } from "./port-explanation.ts";
export { openPorts, type PortsOptions } from "./ports.ts";
export { readHostResolvConf, resolvConfOf } from "./resolv-conf.ts";
export { containsAddress } from "./subnet.ts";
export { joinFaults, type SubnetRequest } from "./subnet-request.ts";
