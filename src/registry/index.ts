/**
 * registry: both sides of the OCI distribution specification 1.1, and trust in what
 * comes from there.
 *
 * client: pull and push of manifests, indexes and blobs, with credentials, mirrors,
 * certificates, retries and resumption. trust: signatures as cosign makes them, and the
 * policy of what may be pulled and run. server: a registry of our own, loaded when it is
 * first served. Client and trust store nothing: `content` does.
 * Words: a host is a registry by its name; an endpoint is where its repositories are
 * found, itself or a mirror; a referrer is a manifest about another.
 */

export { type HostDirectory, hostDirectories, openHostDirectory } from "./client/hosts.ts";
export { createRegistryClient } from "./client/open-client.ts";
export type {
  CredentialSource,
  Credentials,
  RegistryClient,
  RegistryClientOptions,
  Repository,
  SearchResult,
} from "./client/registry-client.ts";
export * from "./server/index.ts";
export { createKeyPair, parsePublicKey, readPrivateKey } from "./trust/key.ts";
export { type Claims, signBundle, signSimple, verifySignature } from "./trust/signature.ts";
export { readSignatures, writeSignature } from "./trust/signed-image.ts";
export { openTrust, type Trust } from "./trust/trust.ts";
