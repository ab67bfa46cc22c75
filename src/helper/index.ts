/**
 * helper: how the engine speaks to native/init, the launcher and monitor.
 *
 * A LaunchPlan becomes bytes (encodePlan), a Helper starts a launcher with them, a
 * Launch tells how it goes. Later, and from another engine process, a Monitor is
 * reached through its control socket, its streams through attach, and its exit
 * record through readExitRecord. A Resolver answers questions of containers for names.
 * Neither this module nor native/init decides policy: the
 * plan already contains every decision. Words: launcher and monitor are the same process
 * before and after the program runs; the program waits for GO; stage is
 * where a launch failed.
 */

export { type Attachment, type AttachOptions, attach, attachLaunch } from "./attach.ts";
export { decodePlan } from "./decode-plan.ts";
export { encodeNameless, encodePlan, namePlan } from "./encode-plan.ts";
export { type ExitRecord, readExitRecord } from "./exit-record.ts";
export { Helper, type HelperOptions, type LaunchRequest, openHelper } from "./helper.ts";
export { type Created, Launch } from "./launch.ts";
export type { LaunchError } from "./launch-error.ts";
export { connectMonitor, Monitor, type MonitorStatus, type MonitorWatch } from "./monitor.ts";
export type * from "./plan.ts";
export {
  connectProxy,
  ListenFault,
  type ListeningPort,
  type ListenRequest,
  PortProxy,
  type PortTraffic,
} from "./port-proxy.ts";
export {
  findResolver,
  openResolver,
  Resolver,
  type ResolverClient,
  type ResolverEndpoint,
  type ResolverPorts,
  type ResolverStatus,
} from "./resolver.ts";
