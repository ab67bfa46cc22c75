/**
 * client: a typed client of the Docker Engine API and of thimble's own beside it.
 *
 * `openClient({ host })` gives containers, execs, images and system, over a unix socket,
 * TCP with or without TLS, or ssh, for Bun and for Node 20 and later. Answers of failure are faults with
 * the engine's own message (ResponseFault); not reaching it is `unavailable` or
 * `denied`. Streams are pulled: memory stays bounded whatever the engine sends.
 *
 * One connection a call; it closes with the answer.
 */

export type { AnalysisClient } from "./analysis.ts";
export type { AttachedStream } from "./attached-stream.ts";
export { type CliSettings, readCliSettings } from "./cli-settings.ts";
export { type Client, openClient } from "./client.ts";
export type { Connection } from "./connection.ts";
export type { ContainersClient, CreateOptions, LogOptions, StopOptions } from "./containers.ts";
export {
  ContextStore,
  checkContextName,
  currentContext,
  type DockerContext,
  parseContext,
  type TlsMaterial,
  tlsFiles,
} from "./context-store.ts";
export type { OutputPart, OutputStream } from "./demux.ts";
export { type Dial, dial } from "./dial.ts";
export type { ExecsClient } from "./execs.ts";
export {
  contextName,
  defaultSocket,
  formatHost,
  type Host,
  type HostChoice,
  type HostFlags,
  parseHost,
  resolveHost,
} from "./host.ts";
export { type ImagesClient, type MakeImage, splitTag, type TransferOptions } from "./images.ts";
export type { NetworksClient } from "./networks.ts";
export {
  configDirectory,
  type DockerConfig,
  openDockerConfig,
  userCredentials,
} from "./open-docker-config.ts";
export type { ProcessStream } from "./process-stream.ts";
export type { ContainerRun } from "./run.ts";
export type { SystemClient } from "./system.ts";
export type { TlsFlags } from "./tls-choice.ts";
export { ResponseFault } from "./transport.ts";
export type { Follow, VolumesClient } from "./volumes.ts";
