/**
 * container: a container in the words of Docker's API.
 *
 * Two tables, `configOptions` and `hostOptions`, have an entry for each field of Config
 * and HostConfig: its form on the wire, its default, its check, its effect on the OCI
 * configuration and its form in inspect. A field that cannot be honoured is an entry too.
 * `Sent` is a client's request as it is stored; `Description` is the form in which the
 * engine works with it, and is always derived from it (`describeContainer`).
 *
 * Nothing is made or changed here. The checks look at the machine: whether a bind's source
 * exists, which device a path is.
 */

export { ociBind } from "./bind-mount.ts";
export { type Config, type ConfigBody, checkSignal } from "./config-options.ts";
export {
  type ContainerCreateBody,
  checkSent,
  containerCreateSchema,
  type Description,
  describeContainer,
  inspectConfig,
  inspectHostConfig,
  type Sent,
  sentOf,
} from "./description.ts";
export {
  connectSchema,
  type EndpointBody,
  type EndpointRequest,
  endpointFaults,
  endpointsOf,
  isMac,
  type NetworkingBody,
  readEndpoint,
  refuseEndpoint,
} from "./endpoint.ts";
export { type Probe, probeOf } from "./health-check.ts";
export type { HostConfig, HostConfigBody } from "./host-options.ts";
export type { IdMapping, Owners } from "./id-mapping.ts";
export { type ImageMount, ociImage, type PlacedImage } from "./image-mount.ts";
export { type Link, parseLink } from "./link.ts";
export { logSubject } from "./log-attributes.ts";
export {
  compressesLog,
  defaultLogConfig,
  type LogConfig,
  logDrivers,
  logLimits,
  logOptionsSchema,
  logTargetOf,
  readsLog,
  withLogDefaults,
  withLogOptions,
} from "./log-config.ts";
export { logPlan } from "./log-plan.ts";
export { cleanTarget } from "./mount-path.ts";
export type { BindMount, MountBody } from "./mounts.ts";
export type { NetworkCheck } from "./network-check.ts";
export { type NetworkFaultBody, networkFaultSchema } from "./network-fault.ts";
export { type NetworkMode, networkModeOf } from "./network-mode.ts";
export {
  type ContainerPort,
  exposedPorts,
  type PortBindingsBody,
  parseContainerPort,
  parsePortBindings,
  portsChangeSchema,
  wantedPorts,
} from "./port-binding.ts";
export { withoutPorts, withPorts } from "./port-change.ts";
export type { Limits } from "./rules.ts";
export { bindsOf, checkTarget, volumesOf } from "./rules.ts";
export { type ContainerSpecInput, containerSpec } from "./spec.ts";
export { type ContainerUpdateBody, containerUpdateSchema, updated } from "./update.ts";
export {
  ociVolume,
  type PlacedBind,
  type PlacedMount,
  type PlacedVolume,
  type VolumeMount,
} from "./volume-mount.ts";
