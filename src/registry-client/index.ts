/**
 * registry-client: the client of registries (OCI distribution specification 1.1).
 *
 * Pull and push of manifests, indexes and blobs, with credentials, mirrors, certificates,
 * retries and resumption. It stores nothing: `content` does.
 * Words: a host is a registry by its name; an endpoint is where its repositories are
 * found, itself or a mirror; a referrer is a manifest about another.
 */

export { type HostDirectory, hostDirectories, openHostDirectory } from "./hosts.ts";
export { parseMirror } from "./mirrors.ts";
export { createRegistryClient } from "./open-client.ts";
export type {
  RegistryClient,
  RegistryClientOptions,
  Repository,
  SearchResult,
} from "./registry-client.ts";
