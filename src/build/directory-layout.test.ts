import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Digest, digestPath, mediaTypes, sha256 } from "#image";
import { outcome } from "../base/testing.ts";
import { DirectoryLayout } from "./directory-layout.ts";

const top = mkdtempSync("/tmp/thimble-layout-");
afterAll(() => rmSync(top, { recursive: true }));

let root = "";
let count = 0;
let layout: DirectoryLayout;
beforeEach(() => {
  root = join(top, String(count++));
  mkdirSync(join(root, "blobs/sha256"), { recursive: true });
  layout = new DirectoryLayout({ directory: root, [Symbol.asyncDispose]: async () => undefined });
});

function put(text: string): Digest {
  const digest = sha256(text);
  writeFileSync(join(root, "blobs", digestPath(digest)), text);
  return digest;
}

/** Without a media type of its own, as OCI allows it. */
const document = JSON.stringify({ schemaVersion: 2, layers: [] });

function index(...tags: readonly string[]): Digest {
  const digest = put(document);
  const manifests = tags.map((tag) => ({
    ...{ mediaType: mediaTypes.manifest, digest, size: document.length },
    ...(tag !== "" && { annotations: { "org.opencontainers.image.ref.name": tag } }),
  }));
  writeFileSync(join(root, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
  return digest;
}

test("an image is found by its tag, its digest, or as the only one", async () => {
  const digest = index("1", "2");
  const found = {
    descriptor: { mediaType: mediaTypes.manifest, digest, size: document.length },
    bytes: Buffer.from(document),
  };
  expect(await layout.manifest("2")).toEqual(found);
  expect(await layout.manifest(digest)).toEqual(found);
  expect(await outcome(layout.manifest("latest"))).toThrow("the OCI layout has no image latest");
  index("");
  expect(await layout.manifest("latest")).toEqual(found);
  expect(await outcome(layout.manifest("1"))).toThrow("the OCI layout has no image 1");
});

test("blobs are read from files of the layout alone", async () => {
  const text = async (digest: Digest) => {
    const chunks = layout.blob({ digest, size: 0, mediaType: "" });
    return Buffer.concat(await Array.fromAsync(chunks)).toString();
  };
  expect(await text(put("content"))).toBe("content");
  const link = sha256("link");
  symlinkSync("/etc/passwd", join(root, "blobs", digestPath(link)));
  expect(await outcome(text(link))).toThrow("no such file or directory");
  const pipe = sha256("pipe");
  Bun.spawnSync(["mkfifo", join(root, "blobs", digestPath(pipe))]);
  expect(await outcome(text(pipe))).toThrow("is no file");
});

test("what is damaged, missing or no layout is told", async () => {
  expect(await outcome(layout.manifest("1"))).toThrow("it has no index.json");
  const digest = index("1");
  writeFileSync(join(root, "blobs", digestPath(digest)), "{}");
  expect(await outcome(layout.manifest("1"))).toThrow("does not match its digest");
  rmSync(join(root, "blobs", digestPath(digest)));
  expect(await outcome(layout.manifest("1"))).toThrow(`the OCI layout has no blob ${digest}`);
});
