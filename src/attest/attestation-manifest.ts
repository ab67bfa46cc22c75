import { type Descriptor, encodeDocument, mediaTypes, sha256 } from "#image";
import type { Statement } from "./statement.ts";

/** A document to store, with the descriptor that names it. */
export interface StoredDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/** The manifest of an image's attestations, with the blobs that it names. */
export interface AttestationManifest {
  /** For the index, beside the image that it is about. */
  readonly manifest: StoredDocument;
  readonly blobs: readonly StoredDocument[];
}

const statementType = "application/vnd.in-toto+json";

/**
 * Attestations as BuildKit stores them (its docs/attestations/attestation-storage.md): a manifest
 * for the platform unknown/unknown whose layers are in-toto statements.
 */
export function attestationManifest(
  statements: readonly Statement[],
  imageDigest: string,
): AttestationManifest {
  const layers = statements.map((each) =>
    stored(statementType, each, {
      annotations: { "in-toto.io/predicate-type": each.predicateType },
    }),
  );
  const config = stored(mediaTypes.config, {
    architecture: "unknown",
    os: "unknown",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
  });
  const manifest = stored(
    mediaTypes.manifest,
    {
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: config.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
    },
    {
      annotations: {
        "vnd.docker.reference.digest": imageDigest,
        "vnd.docker.reference.type": "attestation-manifest",
      },
      platform: { architecture: "unknown", os: "unknown" },
    },
  );
  return { manifest, blobs: [config, ...layers] };
}

function stored(
  mediaType: string,
  document: object,
  more: Partial<Descriptor> = {},
): StoredDocument {
  const bytes = encodeDocument(document);
  return { bytes, descriptor: { mediaType, digest: sha256(bytes), size: bytes.length, ...more } };
}
