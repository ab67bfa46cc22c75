import { afterEach, beforeEach, expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, silentLog } from "#base";
import {
  type Descriptor,
  type Digest,
  encodeDocument,
  mediaTypes,
  parseReference,
  sha256,
} from "#image";
import type { Repository } from "#registry-client";
import { openState, type State } from "#state";
import { outcome, rejection } from "../base/testing.ts";
import { signBundle, signSimple } from "./signature.ts";
import { readSignatures, signatureTag, writeSignature } from "./signed-image.ts";
import { openTrust, type Trust } from "./trust.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = generateKeyPairSync("ec", { namedCurve: "P-256" });
const name = "registry.example/app:1";
const bytes = encodeDocument({ schemaVersion: 2, mediaType: mediaTypes.manifest });
const image: Descriptor = {
  mediaType: mediaTypes.manifest,
  digest: sha256(bytes),
  size: bytes.length,
};
const signed = { reference: name, digest: image.digest, annotations: {} };

let directory: string;
let policyFile: string;
let state: State;
let repository: MemoryRepository;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-trust-"));
  policyFile = join(directory, "policy.json");
  writeFileSync(join(directory, "key.pub"), publicKey.export({ format: "pem", type: "spki" }));
  state = openState(":memory:");
  repository = new MemoryRepository();
});

afterEach(() => {
  state.close();
  rmSync(directory, { recursive: true });
});

/** All that signing needs of a registry. */
class MemoryRepository implements Repository {
  readonly name = parseReference("registry.example/app");
  readonly blobs = new Map<string, Uint8Array>();
  readonly manifests = new Map<string, { bytes: Buffer; mediaType: string }>();
  readonly subjects = new Map<string, Descriptor[]>();
  reachable = true;

  async manifest(key: string) {
    if (!this.reachable) throw new Fault("unavailable", "the registry does not answer");
    const found = this.manifests.get(key);
    if (!found) throw new Fault("not_found", `no manifest ${key}`);
    const { bytes: document, mediaType } = found;
    return {
      bytes: document,
      descriptor: { mediaType, digest: sha256(document), size: document.length },
    };
  }
  async *blob({ digest }: { digest: Digest }) {
    yield this.blobs.get(digest) ?? Buffer.alloc(0);
  }
  async putBlob(
    { digest }: { digest: Digest },
    source: (offset: number) => AsyncIterable<Uint8Array>,
  ) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of source(0)) chunks.push(chunk);
    this.blobs.set(digest, Buffer.concat(chunks));
    return "uploaded" as const;
  }
  async putManifest(key: string, document: Uint8Array, mediaType: string) {
    const entry = { bytes: Buffer.from(document), mediaType };
    this.manifests.set(key, entry);
    this.manifests.set(sha256(document), entry);
    return { digest: sha256(document) };
  }
  async attachReferrer(document: Uint8Array, mediaType: string) {
    const { digest } = await this.putManifest(sha256(document), document, mediaType);
    const { subject } = JSON.parse(Buffer.from(document).toString()) as { subject: Descriptor };
    const referrers = this.subjects.get(subject.digest) ?? [];
    this.subjects.set(subject.digest, [...referrers, { mediaType, digest, size: document.length }]);
    return digest;
  }
  async referrers(subject: Digest) {
    if (!this.reachable) throw new Fault("unavailable", "the registry does not answer");
    return this.subjects.get(subject) ?? [];
  }
  async resolve() {
    return image;
  }
  async hasBlob(digest: Digest) {
    return this.blobs.has(digest);
  }
  async blobSize(digest: Digest) {
    return this.blobs.get(digest)?.length;
  }
  async *tags() {
    yield* this.manifests.keys();
  }
  async deleteManifest(digest: Digest) {
    this.manifests.delete(digest);
  }
}

function trusting(requirement: object, scope = "registry.example"): Trust {
  const policy = { default: [{ type: "insecureAcceptAnything" }], transports: { docker: {} } };
  writeFileSync(
    policyFile,
    JSON.stringify({ ...policy, transports: { docker: { [scope]: [requirement] } } }),
  );
  return openTrust({ policyFiles: [policyFile], state, log: silentLog });
}

const byKey = { type: "sigstoreSigned", keyPath: "" };
const trustingKey = (extra: object = {}) =>
  trusting({ ...byKey, keyPath: join(directory, "key.pub"), ...extra });
const pull = (trust: Trust, reference = name) =>
  trust.checkPull({
    reference: parseReference(reference),
    digests: [image.digest],
    repository,
  });
const run = (trust: Trust, names: readonly string[] = [name]) =>
  trust.checkRun({ names, manifest: image.digest });

test("without a policy everything comes in and runs, and no registry is asked", async () => {
  repository.reachable = false;
  const trust = openTrust({ policyFiles: [policyFile], state, log: silentLog });
  await pull(trust);
  run(trust);
});

test("a rejected name neither comes in nor runs", async () => {
  const trust = trusting({ type: "reject" });
  expect(await rejection(pull(trust))).toMatchObject({ code: "denied" });
  expect(() => run(trust)).toThrow(`the policy rejects images of registry.example (${policyFile})`);
  run(trust, ["debian"]);
});

for (const form of ["simple", "bundle"] as const) {
  const sign = form === "simple" ? signSimple : signBundle;

  test(`${form}: with a signature of the key it comes in, and runs without the registry`, async () => {
    const trust = trustingKey();
    expect(() => run(trust)).toThrow("requires a signature");
    await writeSignature(repository, image, sign(other.privateKey, signed));
    expect(await outcome(pull(trust))).toThrow("requires a signature");
    await writeSignature(repository, image, sign(privateKey, signed));
    await pull(trust);
    repository.reachable = false;
    run(trust);
    run(openTrust({ policyFiles: [policyFile], state, log: silentLog }));
  });

  test(`${form}: a signature of another image is none`, async () => {
    const trust = trustingKey();
    const stolen = sign(privateKey, { ...signed, digest: sha256("another image") });
    await writeSignature(repository, image, stolen);
    expect(await rejection(pull(trust))).toMatchObject({ code: "denied" });
  });
}

test("a registry that does not answer is told, not taken for unsigned", async () => {
  repository.reachable = false;
  expect(await rejection(pull(trustingKey()))).toMatchObject({ code: "unavailable" });
});

test("a simple signature holds for the name it was made under, a moved tag is found out", async () => {
  await writeSignature(repository, image, signSimple(privateKey, signed));
  const trust = trustingKey();
  await pull(trust);
  expect(await rejection(pull(trust, "registry.example/app:2"))).toMatchObject({ code: "denied" });
  await pull(trust, `registry.example/app@${image.digest}`);
  expect(() => run(trust, ["registry.example/app:2"])).toThrow("requires a signature");
  await pull(
    trustingKey({ signedIdentity: { type: "matchRepository" } }),
    "registry.example/app:2",
  );
});

test("a bundle names no image: a policy that asks for one is not satisfied by it", async () => {
  await writeSignature(repository, image, signBundle(privateKey, signed));
  await pull(trustingKey());
  const exact = trustingKey({ signedIdentity: { type: "matchExact" } });
  expect(await rejection(pull(exact))).toMatchObject({ code: "denied" });
});

test("a signature of the index lets in a manifest that was chosen from it", async () => {
  const index = { ...image, digest: sha256("index") };
  await writeSignature(
    repository,
    index,
    signSimple(privateKey, { ...signed, digest: index.digest }),
  );
  const trust = trustingKey();
  expect(await rejection(pull(trust))).toMatchObject({ code: "denied" });
  await trust.checkPull({
    reference: parseReference(name),
    digests: [image.digest, index.digest],
    repository,
  });
  run(trust);
});

test("a key that is taken out of the policy no longer lets its images run", async () => {
  await writeSignature(repository, image, signBundle(privateKey, signed));
  const trust = trustingKey();
  await pull(trust);
  run(trust);
  writeFileSync(
    join(directory, "key.pub"),
    other.publicKey.export({ format: "pem", type: "spki" }),
  );
  trusting({ ...byKey, keyPath: join(directory, "key.pub"), signedIdentity: undefined });
  expect(() => run(trust)).toThrow("requires a signature");
  writeFileSync(policyFile, "broken");
  expect(() => run(trust)).toThrow(policyFile);
});

test("simple signatures gather under one tag; malformed ones beside them do no harm", async () => {
  await writeSignature(repository, image, signSimple(other.privateKey, signed));
  await writeSignature(repository, image, signSimple(privateKey, signed));
  const tagged = repository.manifests.get(signatureTag(image.digest));
  expect(JSON.parse(tagged?.bytes.toString() ?? "")).toMatchObject({
    layers: [{ size: expect.any(Number) }, { size: expect.any(Number) }],
  });
  await repository.attachReferrer(
    Buffer.from(JSON.stringify({ schemaVersion: 3, subject: image })),
    mediaTypes.manifest,
  );
  const found = await Array.fromAsync(readSignatures(repository, image.digest));
  expect(found.map(({ form }) => form)).toEqual(["simple", "simple"]);
  await pull(trustingKey());
});
