import { Fault, isFault } from "#base";
import {
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestHex,
  digestLike,
  encodeDocument,
  type Manifest,
  mediaTypes,
  parseManifest,
  requireDigest,
  sha256,
} from "#image";
import type { Repository } from "#registry-client";
import { bundleType, type Signature, signaturePredicate, simpleOf } from "./signature.ts";

const emptyType = "application/vnd.oci.empty.v1+json";
const simpleType = "application/vnd.dev.cosign.simplesigning.v1+json";
const simpleAnnotation = "dev.cosignproject.cosign/signature";
/** No more signatures of one image than these are read. */
const limits = { manifests: 100, signatures: 200, bytes: 1 << 20 };

interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The signatures of a manifest in its repository: those that refer to it (bundles, and simple ones
 * as cosign keeps them with referrers), and those under cosign's tag "sha256-<hex>.sig". None of
 * them is verified. Malformed and missing ones are left out: they cannot vouch for anything.
 */
export async function* readSignatures(
  repository: Repository,
  digest: Digest,
  options: ReadOptions = {},
): AsyncGenerator<Signature, void> {
  let left = limits.signatures;
  for await (const { layers } of signatureManifests(repository, digest, options)) {
    for (const layer of layers) {
      if (left-- === 0) return;
      const signature = await readSignature(repository, layer, options);
      if (signature) yield signature;
    }
  }
}

async function* signatureManifests(
  repository: Repository,
  digest: Digest,
  options: ReadOptions,
): AsyncGenerator<Manifest, void> {
  const referrers = await repository.referrers(digest);
  const names = [
    ...referrers
      .filter(({ mediaType }) => mediaType === mediaTypes.manifest)
      .slice(0, limits.manifests)
      .map((each) => each.digest),
    signatureTag(digest),
  ];
  for (const name of names) {
    const manifest = await ifSound(async () => {
      const { bytes } = await repository.manifest(name, options);
      return parseManifest(bytes, `the signatures ${name}`);
    });
    if (manifest) yield manifest;
  }
}

async function readSignature(
  repository: Repository,
  layer: Descriptor,
  options: ReadOptions,
): Promise<Signature | undefined> {
  const isBundle = layer.mediaType === bundleType;
  const simple = layer.mediaType === simpleType ? layer.annotations?.[simpleAnnotation] : undefined;
  if (!isBundle && simple === undefined) return undefined;
  return await ifSound(async () => {
    const bytes = await readSmall(repository, layer, options);
    return isBundle
      ? { form: "bundle", document: bytes }
      : simpleOf(bytes, simple ?? "", `the signature ${layer.digest}`);
  });
}

async function readSmall(
  repository: Repository,
  descriptor: Descriptor,
  options: ReadOptions,
): Promise<Buffer> {
  if (descriptor.size > limits.bytes) {
    throw new Fault("exhausted", `the signature ${descriptor.digest} has ${descriptor.size} bytes`);
  }
  const chunks: Uint8Array[] = [];
  for await (const chunk of repository.blob(descriptor, options)) chunks.push(chunk.slice());
  const bytes = Buffer.concat(chunks);
  requireDigest("the signature", descriptor.digest, digestLike(descriptor.digest, bytes));
  return bytes;
}

/**
 * A signature that is malformed or missing counts as absent; a registry that cannot be reached is a
 * Fault.
 */
async function ifSound<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    const isUseless = (
      ["invalid", "not_found", "exhausted", "data_loss", "unsupported"] as const
    ).some((code) => isFault(error, code));
    if (isUseless) return undefined;
    throw error;
  }
}

/** Cosign's place for the signatures of a manifest. A tag has room for 64 digits, as the specification's fallback tag. */
export function signatureTag(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest).slice(0, 64)}.sig`;
}

/** Puts a signature beside the image that it signs: a bundle as a referrer, a simple one under cosign's tag. */
export async function writeSignature(
  repository: Repository,
  image: Descriptor,
  signature: Signature,
): Promise<Digest> {
  return signature.form === "bundle"
    ? await writeBundle(repository, image, signature.document)
    : await writeSimple(repository, image.digest, signature);
}

async function writeBundle(
  repository: Repository,
  { mediaType, digest, size }: Descriptor,
  document: Uint8Array,
): Promise<Digest> {
  const layer = await putSmall(repository, document, bundleType);
  const config = await putSmall(repository, Buffer.from("{}"), emptyType);
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    artifactType: bundleType,
    config,
    layers: [layer],
    subject: { mediaType, digest, size },
    annotations: {
      "dev.sigstore.bundle.content": "dsse-envelope",
      "dev.sigstore.bundle.predicateType": signaturePredicate,
    },
  };
  return await repository.attachReferrer(encodeDocument(manifest), mediaTypes.manifest);
}

async function writeSimple(
  repository: Repository,
  digest: Digest,
  { payload, signature }: Signature & { readonly form: "simple" },
): Promise<Digest> {
  const tag = signatureTag(digest);
  const before = await ifSound(async () => {
    const { bytes } = await repository.manifest(tag);
    return parseManifest(bytes, `the signatures ${tag}`);
  });
  const layer: Descriptor = {
    ...(await putSmall(repository, payload, simpleType)),
    annotations: { [simpleAnnotation]: Buffer.from(signature).toString("base64") },
  };
  const layers = [...(before?.layers ?? []), layer];
  const config = encodeDocument({
    architecture: "",
    os: "",
    config: {},
    rootfs: { type: "layers", diff_ids: layers.map((each) => each.digest) },
  });
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: await putSmall(repository, config, mediaTypes.config),
    layers,
  };
  const bytes = encodeDocument(manifest);
  return (await repository.putManifest(tag, bytes, mediaTypes.manifest)).digest;
}

async function putSmall(
  repository: Repository,
  bytes: Uint8Array,
  mediaType: string,
): Promise<Descriptor> {
  const descriptor = { mediaType, digest: sha256(bytes), size: bytes.length };
  await repository.putBlob(descriptor, async function* (offset) {
    yield bytes.subarray(offset);
  });
  return descriptor;
}
