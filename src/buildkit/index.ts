/**
 * buildkit: the protocol of BuildKit, which docker buildx, bake and compose build by: gRPC on
 * connections that the API hands over. It carries out nothing itself; builds are a `Solver`'s.
 *
 * Two directions: clients call the services Control (a build as a whole) and LLBBridge, the
 * gateway (the parts of it); and each client opens a session, in which it is the server, of
 * files, secrets, credentials and agents, and the engine calls.
 *
 * Words: a job is a build while its client waits for it; a result is what a Dockerfile came to,
 * which the client may pass on to another build as LLB that only we can read; a received
 * directory is our copy of one of the client's.
 */

export type {
  AgentConnection,
  BuildClient,
  BuildRequest,
  CacheRequest,
  ClientCredentials,
  ContextPlace,
  ExportRequest,
  ImageRequest,
  LeasedDirectory,
  PlacedCache,
  ResolvedImage,
  Solution,
  Solver,
  WantedFiles,
} from "./build/solver.ts";
export { type BuildKit, type BuildKitOptions, createBuildKit } from "./buildkit.ts";
export { createEngineSolver } from "./engine/engine-solver.ts";
