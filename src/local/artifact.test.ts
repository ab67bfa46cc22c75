import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Descriptor, encodeDocument, mediaTypes, sha256 } from "#image";
import type { RegistryClient } from "#registry-client";
import { rejection } from "../base/testing.ts";
import { fetchArtifact, listArtifacts } from "./artifact.ts";

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-artifact-"));
});

afterEach(() => rmSync(directory, { recursive: true }));

/** A registry with one artifact of one file, whose name and bytes are what a stranger chose. */
function fetching(title: string, content: string, promised = content): Promise<number> {
  const emptyType = "application/vnd.oci.empty.v1+json";
  const layer: Descriptor = {
    mediaType: "text/plain",
    digest: sha256(promised),
    size: promised.length,
    annotations: { "org.opencontainers.image.title": title },
  };
  const bytes = encodeDocument({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: { mediaType: emptyType, digest: sha256("{}"), size: 2 },
    layers: [layer],
  });
  const descriptor = { mediaType: mediaTypes.manifest, digest: sha256(bytes), size: bytes.length };
  const repository = {
    resolve: async () => descriptor,
    manifest: async () => ({ descriptor, bytes }),
    blob: async function* () {
      yield Buffer.from(content);
    },
  };
  const registry = { repository: () => repository } as unknown as RegistryClient;
  return fetchArtifact(
    { registry, out: { write: async () => undefined }, askPassword: async () => "", env: {} },
    { artifact: "registry.example/app:1", directory: join(directory, "out") },
  );
}

test("a file of an artifact stays in the directory, whatever it calls itself", async () => {
  for (const title of [
    "../escaped",
    "/escaped",
    "a/b",
    "..",
    ".",
    "",
    "x\0y",
    "x\u001b[2Jy",
    "x\ny",
  ]) {
    expect(await rejection(fetching(title, "hello"))).toMatchObject({ code: "invalid" });
  }
  expect(readdirSync(directory)).toEqual(["out"]);
  expect(readdirSync(join(directory, "out"))).toEqual([]);
});

test("bytes that are not the promised ones leave no file", async () => {
  expect(await rejection(fetching("a", "hellx", "hello"))).toMatchObject({ code: "data_loss" });
  expect(readdirSync(join(directory, "out"))).toEqual([]);
  await fetching("a", "hello");
  expect(readdirSync(join(directory, "out"))).toEqual(["a"]);
});

test("a type that a stranger chose moves no terminal and makes no row", async () => {
  let text = "";
  const descriptor = { mediaType: mediaTypes.manifest, digest: sha256("a"), size: 1 };
  const repository = {
    resolve: async () => descriptor,
    referrers: async () => [{ ...descriptor, artifactType: "a\u001b[2J\nsha256:b" }],
  };
  const registry = { repository: () => repository } as unknown as RegistryClient;
  const out = {
    write: async (each: string) => {
      text += each;
    },
  };
  const context = { registry, out, askPassword: async () => "", env: {} };
  await listArtifacts(context, { image: "registry.example/app:1", json: false });
  expect(text.split("\n")).toEqual([
    expect.stringMatching(/^DIGEST +ARTIFACT TYPE +SIZE$/),
    expect.stringContaining("a\\u001b[2J sha256:b"),
    "",
  ]);
});
