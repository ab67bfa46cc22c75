/**
 * trust: who signed an image, and which images may be pulled and run.
 *
 * Signatures as cosign makes them, kept beside the image in its registry, and a policy in
 * the format of containers-policy.json. Repositories are read through `registry-client`'s
 * interface; which signatures were seen for an image is kept in `state`.
 * Words: a signature is a statement over a manifest's digest by a key; claims are what it
 * states; a policy is the rules by repository.
 */

export { createKeyPair, parsePublicKey, readPrivateKey } from "./key.ts";
export { type Claims, signBundle, signSimple, verifySignature } from "./signature.ts";
export { readSignatures, writeSignature } from "./signed-image.ts";
export { openTrust, type Trust } from "./trust.ts";
