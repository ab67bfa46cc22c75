import { expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isFault } from "#base";
import { type Digest, sha256 } from "#image";
import { random, rounds } from "../base/testing.ts";
import { parsePublicKey } from "./key.ts";
import { type Signature, signBundle, signSimple, simpleOf, verifySignature } from "./signature.ts";

const read = (name: string) => readFileSync(join(import.meta.dir, "testdata", name));
const cosign = parsePublicKey(read("cosign.pub"), "cosign.pub");
/** What cosign 3.1 and skopeo 1.20 signed. */
const signed = "sha256:8107d81d140269db2777e34b84bbd925d08f39ccd99065a9780f382745f589b5" as Digest;
const detached =
  "MEQCIC59Fufv6I00fjc1nXepJKvk9cKDvGWP3M/cTTraIS5QAiAyhJ1BXio77ALDfgysVuPyAb4nTzREFS+z06OQbiKiZg==";
const image = { reference: "registry.example/app:1", digest: sha256("image"), annotations: {} };
const pairs = [
  generateKeyPairSync("ec", { namedCurve: "P-256" }),
  generateKeyPairSync("ec", { namedCurve: "P-384" }),
  generateKeyPairSync("ed25519"),
  generateKeyPairSync("rsa", { modulusLength: 2048 }),
];

test("a bundle of cosign 3 holds for its key and names the digest", () => {
  const bundle: Signature = { form: "bundle", document: read("bundle.json") };
  expect(verifySignature(bundle, [cosign])).toEqual({
    form: "bundle",
    digest: signed,
    annotations: {},
  });
  expect(verifySignature(bundle, keysBut(cosign))).toBeUndefined();
});

test("a simple signature of skopeo holds for its key and names image and digest", () => {
  const simple = simpleOf(read("simple.json"), detached, "simple.json");
  expect(verifySignature(simple, [cosign])).toMatchObject({
    digest: signed,
    reference: "127.0.0.1:5077/app:sk",
    annotations: { creator: "containers/image 5.39.1" },
  });
  expect(verifySignature(simple, keysBut(cosign))).toBeUndefined();
});

test("our signatures hold for each kind of key, and for no other key", () => {
  for (const { privateKey, publicKey } of pairs) {
    const annotated = { ...image, annotations: { by: "me" } };
    for (const signature of [
      signSimple(privateKey, annotated),
      signBundle(privateKey, annotated),
    ]) {
      const claims = verifySignature(signature, [...keysBut(publicKey), publicKey]);
      expect(claims).toMatchObject({ digest: image.digest, annotations: { by: "me" } });
      expect(verifySignature(signature, keysBut(publicKey))).toBeUndefined();
    }
  }
});

test("a changed byte anywhere in the payload or the signature is not a signature", () => {
  const { privateKey, publicKey } = pairs[0] as (typeof pairs)[0];
  const simple = signSimple(privateKey, image);
  for (let at = 0; at < simple.payload.length; at++) {
    const payload = Uint8Array.from(simple.payload);
    payload[at] = (payload[at] ?? 0) ^ 1;
    expect(verifySignature({ ...simple, payload }, [publicKey])).toBeUndefined();
  }
  for (let at = 0; at < simple.signature.length; at++) {
    const signature = Uint8Array.from(simple.signature);
    signature[at] = (signature[at] ?? 0) ^ 1;
    expect(verifySignature({ ...simple, signature }, [publicKey])).toBeUndefined();
  }
});

test("something else that the key signed about the digest is not a signature of the image", () => {
  const { privateKey, publicKey } = pairs[0] as (typeof pairs)[0];
  const bundle = JSON.parse(Buffer.from(signBundle(privateKey, image).document).toString()) as {
    dsseEnvelope: { payload: string; payloadType: string };
  };
  bundle.dsseEnvelope.payloadType = "text/plain";
  const document = Buffer.from(JSON.stringify(bundle));
  expect(verifySignature({ form: "bundle", document }, [publicKey])).toBeUndefined();
});

test("no bundle of rubbish does more than fail with a Fault", () => {
  const { privateKey, publicKey } = pairs[0] as (typeof pairs)[0];
  const whole = Buffer.from(signBundle(privateKey, image).document);
  const next = random(1);
  for (let round = 0; round < rounds(300, 20_000); round++) {
    const document = Uint8Array.from(whole);
    for (let changes = 0; changes < 3; changes++) {
      document[next(document.length)] = next(256);
    }
    try {
      verifySignature({ form: "bundle", document }, [publicKey]);
    } catch (error) {
      if (!isFault(error)) throw error;
    }
  }
});

function keysBut(key: KeyObject): KeyObject[] {
  const not = createPublicKey(key.export({ format: "pem", type: "spki" }));
  return pairs.map(({ publicKey }) => publicKey).filter((each) => !each.equals(not));
}
