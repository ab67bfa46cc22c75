/**
 * image: the values that describe an image: digests, references, manifests, indexes,
 * configurations, platforms, and the changes a user may make to a configuration.
 *
 * Pure: no I/O, no clock. It reads the documents of strangers, so every parser has
 * limits and names the place it complains about. It keeps fields that it does not know.
 * Words: a digest names bytes, a diff id a layer's uncompressed tar, a chain id a
 * stack of layers; an image's id is the digest of its configuration.
 */

export { applyChanges } from "./change.ts";
export {
  type HealthConfig,
  type HistoryEntry,
  type ImageConfig,
  type ImageDefaults,
  parseImageConfig,
} from "./config.ts";
export {
  type ChainId,
  chainIds,
  type DiffId,
  type Digest,
  type DigestAlgorithm,
  Digester,
  digestAlgorithm,
  digestAlgorithms,
  digestHex,
  digestLike,
  digestPath,
  isDigest,
  parseDiffId,
  parseDigest,
  requireDigest,
  sha256,
} from "./digest.ts";
export { JsonCursor, maxDocumentBytes, parseJson } from "./json.ts";
export {
  type Descriptor,
  documentType,
  encodeDocument,
  type Index,
  isAttestation,
  type Manifest,
  type ManifestDocument,
  manifestDocument,
  maxLayers,
  parseIndex,
  parseManifest,
  readDescriptor,
  selectManifest,
} from "./manifest.ts";
export {
  isConfigType,
  isIndexType,
  isLayerType,
  isManifestType,
  mediaTypes,
} from "./media-type.ts";
export {
  formatPlatform,
  hostPlatform,
  type Platform,
  parsePlatform,
  platformDistance,
} from "./platform.ts";
export {
  canonicalName,
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from "./reference.ts";
export { isSignalName } from "./signal-name.ts";
