/**
 * network: what a container's network namespace is connected to.
 *
 * One bridge per instance with an address book, packet filter rules and namespaces
 * made ahead (`openNetwork`), and the files a container resolves names with, as pure
 * functions. No command is run: rtnetlink and nf_tables over #kernel.
 *
 * An endpoint is a namespace with eth0 on the bridge. Nobody deletes its link: it goes
 * when the namespace does, which the kernel does in the background.
 */

export type { Endpoint } from "./endpoint.ts";
export { type HostsOptions, parseExtraHost, renderHosts } from "./hosts.ts";
export {
  type BridgeDescription,
  type KnownEndpoint,
  type Network,
  type NetworkOptions,
  openNetwork,
} from "./network.ts";
export { type ResolvConfOptions, readHostResolvConf, renderResolvConf } from "./resolv-conf.ts";
