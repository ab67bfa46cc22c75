import { createHash, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { Fault } from "#base";
import { type Digest, isDigest, type JsonCursor, parseJson } from "#image";

/**
 * A signature over the digest of a manifest, in one of cosign's two forms:
 *
 * - `simple`: a "simple signing" payload (containers-signature(5)) and its detached
 *   signature; it names the image. Cosign to version 2, Podman and Skopeo make these.
 * - `bundle`: a Sigstore bundle (cosign's BUNDLE_SPEC) with a DSSE envelope around an
 *   in-toto statement; it names the digest only. Cosign makes these since version 3.
 */
export type Signature =
  | { readonly form: "simple"; readonly payload: Uint8Array; readonly signature: Uint8Array }
  | { readonly form: "bundle"; readonly document: Uint8Array };

/** The statement of a signature that was verified. */
export interface Claims {
  readonly form: Signature["form"];
  readonly digest: Digest;
  /** The name under which it was signed; a bundle has no name. */
  readonly reference?: string;
  /** Annotations that the signer added. */
  readonly annotations: Readonly<Record<string, string>>;
}

export const bundleType = "application/vnd.dev.sigstore.bundle.v0.3+json";
export const signaturePredicate = "https://sigstore.dev/cosign/sign/v1";
const statementType = "https://in-toto.io/Statement/v1";
const envelopeType = "application/vnd.in-toto+json";
const simpleType = "cosign container image signature";
const maxText = 64 << 10;

/** Signs a manifest's digest under a name, as a simple signing payload. */
export function signSimple(
  key: KeyObject,
  image: {
    readonly reference: string;
    readonly digest: Digest;
    readonly annotations: Readonly<Record<string, string>>;
  },
): Signature & { readonly form: "simple" } {
  const payload = Buffer.from(
    JSON.stringify({
      critical: {
        identity: { "docker-reference": image.reference },
        image: { "docker-manifest-digest": image.digest },
        type: simpleType,
      },
      optional: image.annotations,
    }),
  );
  return { form: "simple", payload, signature: signBytes(key, payload) };
}

/** Signs a manifest's digest as a Sigstore bundle. */
export function signBundle(
  key: KeyObject,
  image: { readonly digest: Digest; readonly annotations: Readonly<Record<string, string>> },
): Signature & { readonly form: "bundle" } {
  const [algorithm = "", hex = ""] = image.digest.split(":");
  const payload = Buffer.from(
    JSON.stringify({
      _type: statementType,
      subject: [{ digest: { [algorithm]: hex }, annotations: image.annotations }],
      predicateType: signaturePredicate,
      predicate: {},
    }),
  );
  const signature = signBytes(key, preAuthentication(envelopeType, payload));
  const document = {
    mediaType: bundleType,
    verificationMaterial: { publicKey: { hint: keyHint(key) } },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType: envelopeType,
      signatures: [{ sig: signature.toString("base64") }],
    },
  };
  return { form: "bundle", document: Buffer.from(JSON.stringify(document)) };
}

/**
 * The statement of a signature that one of the keys made; undefined when none of them did. A
 * malformed signature is `invalid`.
 */
export function verifySignature(
  signature: Signature,
  keys: readonly KeyObject[],
): Claims | undefined {
  return signature.form === "simple"
    ? verifySimple(signature, keys)
    : verifyBundle(signature.document, keys);
}

function verifySimple(
  { payload, signature }: Signature & { readonly form: "simple" },
  keys: readonly KeyObject[],
): Claims | undefined {
  if (!keys.some((key) => isSignedBy(key, payload, signature))) return undefined;
  const root = parseJson("the signed payload", payload);
  const critical = root.at("critical");
  if (critical.at("type").string(maxText) !== simpleType) {
    critical.at("type").fail(`must be "${simpleType}"`);
  }
  return {
    form: "simple",
    digest: digestOf(critical.at("image").at("docker-manifest-digest")),
    reference: critical.at("identity").at("docker-reference").string(maxText),
    annotations: annotationsOf(root.at("optional")),
  };
}

function verifyBundle(document: Uint8Array, keys: readonly KeyObject[]): Claims | undefined {
  const root = parseJson("the signature bundle", document);
  const envelope = root.at("dsseEnvelope");
  if (envelope.absent) root.fail("has no dsseEnvelope; only signatures of images are understood");
  const payload = Buffer.from(envelope.at("payload").string(), "base64");
  const type = envelope.at("payloadType").string(maxText);
  const signed = preAuthentication(type, payload);
  const signatures = envelope
    .at("signatures")
    .list(100, (each) => Buffer.from(each.at("sig").string(maxText), "base64"));
  const holds = signatures.some((each) => keys.some((key) => isSignedBy(key, signed, each)));
  if (!holds) return undefined;
  if (type !== envelopeType) envelope.at("payloadType").fail(`must be "${envelopeType}"`);
  const statement = parseJson("the signed statement", payload);
  if (
    !/^https:\/\/in-toto\.io\/Statement\/v(1|0\.1)$/.test(statement.at("_type").string(maxText))
  ) {
    statement.at("_type").fail(`must be "${statementType}"`);
  }
  // Anything else that the key has signed about this digest (an SBOM, a scan) approves of nothing.
  if (statement.at("predicateType").string(maxText) !== signaturePredicate) {
    statement.at("predicateType").fail(`must be "${signaturePredicate}"`);
  }
  const [subject, further] = statement.at("subject").list(100, (each) => each);
  if (!subject || further) return statement.at("subject").fail("must name one image");
  return {
    form: "bundle",
    digest: subjectDigest(subject.at("digest")),
    annotations: annotationsOf(subject.at("annotations")),
  };
}

/** The bytes that DSSE signs: https://github.com/secure-systems-lab/dsse, "PAE". */
function preAuthentication(type: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

/** Cosign's hint of which key to take: base64 of the SHA-256 of the public key's DER. */
function keyHint(key: KeyObject): string {
  const der = createPublicKey(key).export({ format: "der", type: "spki" });
  return createHash("sha256").update(der).digest("base64");
}

function hashOf(key: KeyObject): string | null {
  if (key.asymmetricKeyType === "ed25519") return null;
  return /384/.test(key.asymmetricKeyDetails?.namedCurve ?? "") ? "sha384" : "sha256";
}

function signBytes(key: KeyObject, bytes: Uint8Array): Buffer {
  return sign(hashOf(key), bytes, key);
}

function isSignedBy(key: KeyObject, bytes: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify(hashOf(key), bytes, key, signature);
  } catch {
    // A signature of another kind of key is not a signature of this one.
    return false;
  }
}

/** in-toto's DigestSet: an object with the digits by algorithm. */
function subjectDigest(set: JsonCursor): Digest {
  const algorithm = set.at("sha256").absent ? "sha512" : "sha256";
  return digestOf(set.at(algorithm), `${algorithm}:`);
}

function digestOf(cursor: JsonCursor, prefix = ""): Digest {
  const digest = prefix + cursor.string(maxText);
  return isDigest(digest) ? digest : cursor.fail("must be a digest by sha256 or sha512");
}

function annotationsOf(cursor: JsonCursor): Readonly<Record<string, string>> {
  const all = cursor.optional((present) => present.map(1000, (each) => each.value)) ?? {};
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [
      name,
      typeof value === "string" ? value : JSON.stringify(value ?? null),
    ]),
  );
}

/** Two texts of base64 or a Fault that names where they come from. */
export function simpleOf(payload: Uint8Array, signature: string, about: string): Signature {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(signature) || signature.length > maxText) {
    throw new Fault("invalid", `${about}: its signature is not base64`, { about });
  }
  return { form: "simple", payload, signature: Buffer.from(signature, "base64") };
}
