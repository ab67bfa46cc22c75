/**
 * Debian's docker-registry as a peer: behind our cache, over the same directory as our
 * server, and before our client.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Digest, Digester, mediaTypes, parseReference, sha256 } from "#image";
import type { Repository } from "#registry-client";
import { outcome, rejection } from "../../src/base/testing.ts";
import { bytesOf, quickClient, readAll, sourceOf } from "../support/registry-client.ts";
import {
  dockerRegistryPath,
  type RunningRegistry,
  startDockerRegistry,
  startRegistry,
  temporaryDirectory,
  thimble,
} from "../support/registry-process.ts";

const can = dockerRegistryPath !== null;
const repositoryOf = (registry: RunningRegistry, name = "team/app", credentials = {}): Repository =>
  quickClient(credentials).repository(parseReference(`${registry.host}/${name}`));

const layer = bytesOf(5_000_000);
const config = Buffer.from(
  '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}',
);
const describeBlob = (bytes: Buffer) => ({ digest: sha256(bytes), size: bytes.length });
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...describeBlob(config) },
    layers: [{ mediaType: mediaTypes.layer, ...describeBlob(layer) }],
  }),
);

async function push(repository: Repository, tag: string): Promise<Digest> {
  for (const bytes of [config, layer]) {
    await repository.putBlob(describeBlob(bytes), async function* (offset) {
      yield bytes.subarray(offset);
    });
  }
  return (await repository.putManifest(tag, manifest, mediaTypes.manifest)).digest;
}

/** The same bytes under the same digests. */
async function expectImage(repository: Repository, tag: string): Promise<void> {
  const found = await repository.manifest(tag);
  expect(found.bytes).toEqual(manifest);
  expect(found.descriptor.digest).toBe(sha256(manifest));
  for (const bytes of [config, layer]) {
    expect(sha256(await readAll(repository.blob(describeBlob(bytes))))).toBe(sha256(bytes));
  }
}

const sha512 = (bytes: Buffer) => new Digester("sha512").update(bytes).digest();
const blob512 = (bytes: Buffer) => ({ digest: sha512(bytes), size: bytes.length });
const manifest512 = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, ...blob512(config) },
    layers: [{ mediaType: mediaTypes.layer, ...blob512(layer) }],
  }),
);

async function push512(repository: Repository, tag: string): Promise<void> {
  for (const bytes of [config, layer]) {
    await repository.putBlob(blob512(bytes), sourceOf(bytes), { chunkBytes: 2_000_000 });
  }
  await repository.putManifest(tag, manifest512, mediaTypes.manifest);
}

async function expect512(repository: Repository, tag: string): Promise<void> {
  expect((await repository.manifest(tag)).bytes).toEqual(manifest512);
  for (const bytes of [config, layer]) {
    expect(sha256(await readAll(repository.blob(blob512(bytes))))).toBe(sha256(bytes));
  }
}

describe("docker-registry behind our cache", () => {
  test.skipIf(!can)(
    "is asked once, and need not be there afterwards [needs docker-registry]",
    async () => {
      await using upstream = await startDockerRegistry();
      await push(repositoryOf(upstream), "1");
      await using cache = await startRegistry([
        "--proxy",
        upstream.url,
        "--proxy-ttl",
        "0s",
        "--metrics",
        "shared",
      ]);
      const through = repositoryOf(cache);
      await expectImage(through, "1");
      const metrics = async (name: string) =>
        (await (await fetch(`${cache.url}/metrics`)).text())
          .split("\n")
          .find((line) => line.startsWith(`thimble_registry_${name} `))
          ?.split(" ")[1];
      await expectImage(through, "1");
      expect(await metrics('upstream_requests_total{kind="blob",outcome="found"}')).toBe("2");
      await upstream.stop();
      await expectImage(through, "1");
      expect(await outcome(through.manifest("never-seen"))).toThrow();
      expect(await outcome(push(through, "2"))).toThrow();
    },
  );

  test.skipIf(!can)(
    "a tag that moves is followed; what it does not have is not found [needs docker-registry]",
    async () => {
      await using upstream = await startDockerRegistry();
      const source = repositoryOf(upstream);
      await push(source, "1");
      await using cache = await startRegistry([
        "--proxy",
        `hub=${upstream.host}`,
        "--proxy-ttl",
        "0s",
      ]);
      const through = repositoryOf(cache, "hub/team/app");
      expect((await through.resolve("1")).digest).toBe(sha256(manifest));
      const other = Buffer.from(manifest.toString().replace("{", '{"annotations":{"a":"b"},'));
      await source.putManifest("1", other, mediaTypes.manifest);
      expect((await through.resolve("1")).digest).toBe(sha256(other));
      // One after the other: a rejection that nobody awaits yet fails the test.
      for (const [repository, tag] of [
        [through, "2"],
        [repositoryOf(cache, "elsewhere/app"), "1"],
      ] as const) {
        expect(await rejection(repository.resolve(tag))).toMatchObject({ code: "not_found" });
      }
    },
  );
});

describe("one directory, two registries", () => {
  const root = temporaryDirectory();
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test.skipIf(!can)(
    "ours takes over docker-registry's, and gives it back [needs docker-registry]",
    async () => {
      const theirs = await startDockerRegistry(root);
      await push(repositoryOf(theirs), "theirs");
      await theirs.stop();
      const ours = await startRegistry([], root);
      await expectImage(repositoryOf(ours), "theirs");
      await push(repositoryOf(ours), "ours");
      await push(repositoryOf(ours, "team/other"), "1");
      expect(await ours.stop()).toBe(0);
      const gc = await thimble(["registry", "gc", "--root", root, "--gc-grace", "0s"]);
      expect(gc.stderr).toBe("");
      expect(gc.stdout).toStartWith("removed 0 blobs");
      await using again = await startDockerRegistry(root);
      await expectImage(repositoryOf(again), "ours");
      await expectImage(repositoryOf(again, "team/other"), "1");
      expect((await Array.fromAsync(repositoryOf(again).tags())).sort()).toEqual([
        "ours",
        "theirs",
      ]);
    },
  );

  test.skipIf(!can)(
    "what the one took by sha512 the other serves, and keeps [needs docker-registry]",
    async () => {
      const theirs = await startDockerRegistry(root);
      await push512(repositoryOf(theirs, "sha512"), "theirs");
      await theirs.stop();
      const ours = await startRegistry([], root);
      await expect512(repositoryOf(ours, "sha512"), "theirs");
      await push512(repositoryOf(ours, "team/ours"), "1");
      const mounted = repositoryOf(ours, "team/next").putBlob(blob512(layer), sourceOf(layer), {
        mountFrom: ["sha512"],
      });
      expect(await mounted).toBe("mounted");
      await ours.stop();
      const gc = await thimble(["registry", "gc", "--root", root]);
      expect(gc.stdout).toStartWith("removed 0 blobs");
      const all = await thimble(["registry", "gc", "--root", root, "--gc-grace", "0s"]);
      expect(all.stdout).toStartWith("removed 0 blobs");
      await using again = await startDockerRegistry(root);
      await expect512(repositoryOf(again, "sha512"), "theirs");
      await expect512(repositoryOf(again, "team/ours"), "1");
    },
  );
});

describe("docker-registry before our client", () => {
  let registry: RunningRegistry;
  const directory = temporaryDirectory();
  beforeAll(async () => {
    if (!can) return;
    const users = join(directory, "users");
    await thimble(["registry", "htpasswd", users, "alice", "--password-stdin"], "alice's");
    registry = await startDockerRegistry(
      undefined,
      `auth: {htpasswd: {realm: peer, path: ${users}}}\n`,
    );
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
  const alice = { credentials: async () => ({ username: "alice", password: "alice's" }) };

  test.skipIf(!can)(
    "a password file of ours lets our users in [needs docker-registry]",
    async () => {
      const repository = repositoryOf(registry, "team/app", alice);
      await push(repository, "1");
      await expectImage(repository, "1");
      expect(await rejection(repositoryOf(registry).resolve("1"))).toMatchObject({
        code: "unauthenticated",
      });
      await quickClient().login(registry.host, { username: "alice", password: "alice's" });
      expect(
        await rejection(quickClient().login(registry.host, { username: "alice", password: "x" })),
      ).toMatchObject({ code: "unauthenticated" });
    },
  );

  test.skipIf(!can)(
    "blobs by sha512 are taken; manifests by sha512 are refused, and may be pushed by tag [needs docker-registry]",
    async () => {
      const repository = repositoryOf(registry, "team/sha512", alice);
      await push512(repository, "1");
      await expect512(repository, "1");
      expect((await repository.resolve("1")).digest).toBe(sha256(manifest512));
      const refused = repository.putManifest(sha512(manifest512), manifest512, mediaTypes.manifest);
      expect(await rejection(refused)).toMatchObject({
        code: "invalid",
        message: expect.stringContaining(
          "DIGEST_INVALID: provided digest did not match uploaded content; many registries take manifests by sha256 digests only",
        ),
      });
      expect(await rejection(repository.manifest(sha512(manifest512)))).toMatchObject({
        code: "not_found",
      });
    },
  );

  test.skipIf(!can)(
    "chunks, mounts, tags, referrers by their tag, deletion [needs docker-registry]",
    async () => {
      const repository = repositoryOf(registry, "team/more", alice);
      const chunked = bytesOf(3_000_000);
      await repository.putBlob(
        describeBlob(chunked),
        async function* (offset) {
          yield chunked.subarray(offset);
        },
        { chunkBytes: 1_000_000 },
      );
      expect(sha256(await readAll(repository.blob(describeBlob(chunked), { offset: 0 })))).toBe(
        sha256(chunked),
      );
      const mounted = await repositoryOf(registry, "team/third", alice).putBlob(
        describeBlob(chunked),
        async function* () {
          yield* [];
        },
        { mountFrom: ["team/more"] },
      );
      expect(mounted).toBe("mounted");
      const digest = await push(repository, "1");
      const about = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: mediaTypes.manifest,
          artifactType: "application/vnd.example.note",
          config: { mediaType: "application/vnd.oci.empty.v1+json", ...describeBlob(config) },
          layers: [],
          subject: { mediaType: mediaTypes.manifest, digest, size: manifest.length },
        }),
      );
      const referrer = await repository.attachReferrer(about, mediaTypes.manifest);
      expect((await repository.referrers(digest)).map((each) => each.digest)).toEqual([referrer]);
      await repository.deleteManifest(digest);
      expect(await rejection(repository.resolve("1"))).toMatchObject({ code: "not_found" });
    },
  );
});
