import { expect, test } from "bun:test";
import { createPublicKey, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { outcome, rejection } from "../base/testing.ts";
import { createKeyPair, parsePublicKey, readPrivateKey } from "./key.ts";

const read = (name: string) => readFileSync(join(import.meta.dir, "testdata", name));
const password = (text: string) => async () => text;
const spki = (key: Parameters<typeof createPublicKey>[0]) =>
  createPublicKey(key).export({ format: "pem", type: "spki" }).toString();

/** A file in cosign's form, with zeros for what its password would open. */
function sealedKey({ N }: { readonly N: number }): Buffer {
  const zeros = (length: number) => Buffer.alloc(length).toString("base64");
  const document = {
    kdf: { name: "scrypt", params: { N, r: 8, p: 1 }, salt: zeros(32) },
    cipher: { name: "nacl/secretbox", nonce: zeros(24) },
    ciphertext: zeros(100),
  };
  const body = Buffer.from(JSON.stringify(document)).toString("base64");
  const label = "ENCRYPTED COSIGN PRIVATE KEY";
  return Buffer.from(`-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`);
}

test("a key that cosign made opens with its password, and is the half of its public key", async () => {
  const key = await readPrivateKey(read("cosign.key"), "cosign.key", password("secret"));
  expect(spki(key)).toBe(read("cosign.pub").toString());
});

test("the wrong password is denied", async () => {
  const opening = readPrivateKey(sealedKey({ N: 2 }), "x.key", password("other"));
  expect(await rejection(opening)).toMatchObject({ code: "denied", about: "x.key" });
});

test("a pair of our own is read back", async () => {
  const pair = await createKeyPair("a b", { work: 2 });
  expect(pair.privateKey).toMatch(/^-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\n/);
  expect(Math.max(...pair.privateKey.split("\n").map((line) => line.length))).toBeLessThan(66);
  const key = await readPrivateKey(Buffer.from(pair.privateKey), "k", password("a b"));
  expect(spki(key)).toBe(pair.publicKey);
});

test("an unsealed PKCS #8 key needs no password", async () => {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  const pem = Buffer.from(privateKey.export({ format: "pem", type: "pkcs8" }));
  const key = await readPrivateKey(pem, "k", () => Promise.reject(new Error("asked")));
  expect(spki(key)).toBe(publicKey.export({ format: "pem", type: "spki" }).toString());
});

test("a file that is not a key, and a weak key, are refused by name", async () => {
  expect(() => parsePublicKey("hello", "x.pub")).toThrow("x.pub holds no public key");
  const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).publicKey;
  expect(() => parsePublicKey(weak.export({ format: "pem", type: "spki" }), "x.pub")).toThrow(
    "2048",
  );
  const opening = readPrivateKey(Buffer.from("hello"), "x.key", password(""));
  expect(await outcome(opening)).toThrow("x.key holds no private key");
});

test("a key file cannot ask for a gigabyte of memory", async () => {
  const opening = readPrivateKey(sealedKey({ N: 2 ** 24 }), "k", password(""));
  expect(await outcome(opening)).toThrow("more work than a key");
});
