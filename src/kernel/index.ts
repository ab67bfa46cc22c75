/**
 * kernel: Linux for the rest of the program; the only module that loads the addon.
 *
 * Descriptors (`Fd`) and files by directory, mounts, extended attributes, processes
 * (`spawn`, pidfds), `Channel` over anything that can be polled, netlink and
 * nftables, and what this process and machine may do. Mechanism only: no policy.
 *
 * Plain names are synchronous and quick; what can block returns a promise and runs
 * on the addon's own threads. A refusal of the kernel is a Fault with `errno`,
 * made in errno.ts alone. Channels and jobs share one epoll thread per instance.
 */

export { addonPath, useAddon } from "./addon.ts";
export { Channel, type ChannelOptions, openChannel } from "./channel.ts";
export * from "./descriptors.ts";
export { attachDeviceProgram } from "./device-program.ts";
export { errnoName } from "./errno.ts";
export { type Directory, descriptorPath, Fd } from "./fd.ts";
export * from "./files.ts";
export * from "./machine.ts";
export type { Mount } from "./mount.ts";
export { type MountEntry, mountTable, parseMountTable } from "./mount-table.ts";
export * from "./mounts.ts";
export { networkNamespaceOf, newNetworkNamespace } from "./namespaces.ts";
export * from "./netlink.ts";
export { type Expression, type Ipv4Network, nft } from "./nft-expressions.ts";
export * from "./nftables.ts";
export { makePrivateDirectory, restrictMode } from "./private-path.ts";
export { pidfdOpen, pidfdSendSignal, startTime } from "./processes.ts";
export * from "./rtnetlink.ts";
export { signalName, signalNumber } from "./signals.ts";
export { type ChildProcess, type Exit, type SpawnOptions, spawn } from "./spawn.ts";
export { type Entry, getXattr, listXattr, removeXattr, setXattr } from "./xattrs.ts";
