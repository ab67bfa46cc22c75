/**
 * network: what a container's network namespace is connected to.
 *
 * Bridge networks by name, each with an address book and packet filter rules, and
 * namespaces made ahead (`openNetworks`), and the files a container resolves names
 * with, as pure functions. No command is run: rtnetlink and nf_tables over #kernel.
 *
 * An endpoint is an interface in a namespace and a port of a bridge. Nobody deletes its
 * link: it goes when the namespace does, which the kernel does in the background.
 */

export type {
  Endpoint,
  KnownEndpoint,
  NetworkDescription,
  Networks,
  NetworksOptions,
} from "./contract.ts";
export { networkCrashPoints } from "./crash-point.ts";
export { type HostsOptions, parseExtraHost, renderHosts } from "./hosts.ts";
export { openNetworks } from "./networks.ts";
export { type ResolvConfOptions, readHostResolvConf, renderResolvConf } from "./resolv-conf.ts";
