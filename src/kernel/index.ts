/**
 * kernel: Linux for the rest of the program; the only module that loads the addon.
 *
 * Descriptors (`Fd`) and files by directory, mounts, extended attributes, processes
 * (`spawn`, pidfds), `Channel` over anything that can be polled, netlink and
 * nftables, and the rights of this process and machine. Mechanism only: no policy.
 *
 * Plain names are synchronous and quick; calls that can block return a promise and run
 * on the addon's own threads. A refusal of the kernel is a Fault with `errno`,
 * made in errno.ts alone. Channels and jobs share one epoll thread per instance.
 */

export { addonPath, useAddon } from "./addon.ts";
export { attachDeviceProgram, writeSetting } from "./cgroup-files.ts";
export { Channel, openChannel } from "./channel.ts";
export { streamOf } from "./channel-stream.ts";
export { UnixDatagrams } from "./datagrams.ts";
export {
  canOpen,
  connectUnix,
  copySealed,
  eventFd,
  listenUnix,
  lockFile,
  memfdSealed,
  peerCredentials,
  sendDescriptors,
  socketPair,
  statfs,
  untakenByPeer,
} from "./descriptors.ts";
export {
  directoryLimit,
  lackOfLimits,
  limitDirectory,
  unlimit,
} from "./directory-limit.ts";
export { diskUsage, type TreeUsage } from "./disk-usage.ts";
export { errnoName } from "./errno.ts";
export { descriptorPath, Fd } from "./fd.ts";
export {
  AT_REMOVEDIR,
  dataExtents,
  type Extent,
  fchmodat,
  fchownat,
  fstatat,
  fsyncAsync,
  ftruncate,
  linkat,
  mkdirat,
  mknodat,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_WRONLY,
  type Owner,
  openat2,
  openRegularFile,
  type Place,
  RENAME_EXCHANGE,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  readInto,
  readlinkat,
  readlinkatBytes,
  renameat2,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  type Stat,
  symlinkat,
  syncfsAsync,
  unlinkat,
  utimensat,
  writeAll,
  writeAt,
} from "./files.ts";
export { KnownProcess, openProcess } from "./known-process.ts";
export {
  capabilities,
  capabilityName,
  capabilityNumber,
  hasCapability,
  kernelAtLeast,
  kernelVersion,
  lastCapability,
} from "./machine.ts";
export type { Mount } from "./mount.ts";
export { type MountEntry, mountTable, parseMountTable } from "./mount-table.ts";
export {
  knowsFileSystem,
  mountAll,
  mountRootOf,
  overlayTakesLowerdirPlus,
  unmount,
} from "./mounts.ts";
export {
  connectInNamespace,
  networkNamespaceOf,
  newNetworkNamespace,
  writeNamespaceSettings,
} from "./namespaces.ts";
export type { NetlinkRequest } from "./netlink.ts";
export { NftBatch } from "./nft-batch.ts";
export type { AddressAndPort, FlowEnd, FrameSource } from "./nft-elements.ts";
export { nft } from "./nft-expressions.ts";
export { type FilterChange, watchNftables } from "./nft-watch.ts";
export { type Chain, type HookedChain, Nftables, type PacketCount, type Rule } from "./nftables.ts";
export { makePrivateDirectory, restrictMode } from "./private-path.ts";
export { hasEnded, pidfdOpen, pidfdSendSignal, startTime } from "./processes.ts";
export { delayPackets, limitRate, removeDelay } from "./qdisc.ts";
export type { ProjectQuota } from "./quota.ts";
export { type RouteNotices, watchRoutes } from "./route-watch.ts";
export {
  addAddress,
  addToBridge,
  applyInTurn,
  createBridge,
  createVeth,
  deleteAddress,
  deleteLink,
  deleteRoute,
  getLink,
  ignoreLinkLocalFrames,
  interfaceSettings,
  isolatePort,
  type Link,
  type Route,
  RouteTable,
  replaceRoute,
  setInterfaceSettings,
  setLinkAlias,
  setLinkMac,
  setLinkUp,
} from "./rtnetlink.ts";
export { signalNumber } from "./signals.ts";
export { type ChildProcess, type SpawnOptions, spawn } from "./spawn.ts";
export {
  createNowhere,
  createStackedLink,
  createVlan,
  hasStackedKind,
  ipvlanFlags,
  ipvlanModes,
  macvlanModes,
  type StackedKind,
} from "./stacked-link.ts";
export { type CopyWatch, copyTree, copyTreeHolding, removeTree, removeTreeNow } from "./tree.ts";
export { getXattr, listXattr, setXattr } from "./xattrs.ts";
