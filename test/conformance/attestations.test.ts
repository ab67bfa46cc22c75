/** What our attestations are to docker buildx, unmodified: it reads them from our registry. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  attestationManifest,
  imageUrl,
  predicateTypes,
  slsaProvenance,
  spdxDocument,
  statement,
} from "#attest";
import { encodeDocument, mediaTypes, sha256 } from "#image";
import { dockerPlugin } from "../support/docker-plugins.ts";
import { type RunningRegistry, startRegistry } from "../support/registry-process.ts";

const buildx = dockerPlugin("docker-buildx") ?? "";

describe.skipIf(buildx === "")("docker buildx imagetools inspect [needs docker-buildx]", () => {
  let registry: RunningRegistry;
  beforeAll(async () => {
    registry = await startRegistry([]);
    await pushImage(registry.host);
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
  });

  function inspect(format: string): unknown {
    const reference = `${registry.host}/web:1`;
    const command = [buildx, "imagetools", "inspect", "--format", format, reference];
    const { stdout, stderr } = Bun.spawnSync(command);
    return JSON.parse(stdout.toString() || JSON.stringify(stderr.toString()));
  }

  test("shows the bill of materials", () => {
    expect(inspect("{{json .SBOM}}")).toMatchObject({
      SPDX: {
        spdxVersion: "SPDX-2.3",
        packages: [{ name: "web" }, { name: "musl", versionInfo: "1" }],
      },
    });
  });

  test("shows the provenance", () => {
    expect(inspect("{{json .Provenance}}")).toMatchObject({
      SLSA: { buildDefinition: { resolvedDependencies: [{ uri: "pkg:docker/base@1" }] } },
    });
  });
});

async function pushImage(address: string): Promise<void> {
  const base = `http://${address}/v2/web`;
  const put = async (url: URL | string, body: Uint8Array, type: string) => {
    const headers = { "content-type": type };
    const { status } = await fetch(url, { method: "PUT", body, headers });
    expect(status).toBe(201);
  };
  const putBlob = async (bytes: Uint8Array) => {
    const started = await fetch(`${base}/blobs/uploads/`, { method: "POST" });
    const url = new URL(started.headers.get("location") ?? "", base);
    url.searchParams.set("digest", sha256(bytes));
    await put(url, bytes, "application/octet-stream");
  };
  const config = encodeDocument({
    ...{ architecture: "amd64", os: "linux", config: {} },
    rootfs: { type: "layers", diff_ids: [] },
  });
  await putBlob(config);
  const image = encodeDocument({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: mediaTypes.config, digest: sha256(config), size: config.length },
    layers: [],
  });
  const digest = sha256(image);
  await put(`${base}/manifests/${digest}`, image, mediaTypes.manifest);
  const about = { urls: [imageUrl("web", { tag: "1", platform: "linux/amd64" })], digest };
  const installed = Buffer.from("P:musl\nV:1\nA:x86_64\nL:MIT\n");
  const tree = {
    list: async () => [],
    read: async (path: string) => (path === "lib/apk/db/installed" ? installed : undefined),
  };
  const provenance = slsaProvenance({
    ...{ mode: "max", platform: "linux/amd64", args: {}, locals: ["context"] },
    materials: [{ uri: "pkg:docker/base@1", digest: `sha256:${"a".repeat(64)}` }],
    ...{ isComplete: true, isHermetic: false },
  });
  const { manifest, blobs } = attestationManifest(
    [
      statement(
        predicateTypes.spdx,
        await spdxDocument(tree, { name: "web", tool: "thimble" }),
        about,
      ),
      statement(predicateTypes.provenance, provenance, about),
    ],
    digest,
  );
  for (const { bytes } of blobs) await putBlob(bytes);
  await put(`${base}/manifests/${manifest.descriptor.digest}`, manifest.bytes, mediaTypes.manifest);
  const platform = { architecture: "amd64", os: "linux" };
  const index = encodeDocument({
    schemaVersion: 2,
    mediaType: mediaTypes.index,
    manifests: [
      { mediaType: mediaTypes.manifest, digest, size: image.length, platform },
      manifest.descriptor,
    ],
  });
  await put(`${base}/manifests/1`, index, mediaTypes.index);
}
