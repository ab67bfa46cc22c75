import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import type { Manifest } from "#image";
import { type RunningRegistry, startRegistry } from "../support/registry-process.ts";
import { type Running, ThimbleCli } from "../support/thimble-cli.ts";

const gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
const zstd = "application/vnd.oci.image.layer.v1.tar+zstd";

describe("the flags that choose the compression of layers [needs root]", () => {
  let cli: ThimbleCli;
  let registry: RunningRegistry;
  let daemon: Running;
  let plain: Uint8Array;

  beforeAll(async () => {
    cli = new ThimbleCli();
    registry = await startRegistry([]);
    daemon = cli.start(["daemon", "--layer-compression", "gzip:9"]);
    await daemon.until("msg=serving");
    plain = tree();
  });

  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  /** A tar that a higher level makes smaller. */
  function tree(): Uint8Array {
    const directory = join(cli.directory, "tree");
    mkdirSync(directory);
    let text = "";
    for (let n = 0; n < 20_000; n++) {
      text += `${createHash("sha1")
        .update(`${n % 700}`)
        .digest("hex")
        .slice(0, (n % 17) + 3)}\n`;
    }
    writeFileSync(join(directory, "words"), text);
    return Bun.spawnSync(["tar", "-C", directory, "-c", "words"]).stdout;
  }

  async function imported(name: string): Promise<string> {
    const image = `${registry.host}/${name}`;
    await cli.ok(["import", "-", image], { input: plain });
    return image;
  }

  /** The lowest layer that a registry has of an image: its type and size, and whether it is the tree. */
  async function pushed(image: string) {
    const [path = "", tag = "latest"] = image.slice(registry.host.length + 1).split(":");
    const answer = await fetch(`${registry.url}/v2/${path}/manifests/${tag}`);
    const { layers } = (await answer.json()) as Manifest;
    const [{ mediaType, digest, size } = { mediaType: "", digest: "", size: 0 }] = layers;
    const blob = await fetch(`${registry.url}/v2/${path}/blobs/${digest}`);
    const bytes = new Uint8Array(await blob.arrayBuffer());
    const content = mediaType === gzip ? gunzipSync(bytes) : zstdDecompressSync(bytes);
    expect([bytes.length, content.equals(plain)]).toEqual([size, true]);
    return { mediaType, size };
  }

  async function push(name: string, ...flags: string[]) {
    const image = await imported(name);
    await cli.ok(["push", ...flags, image]);
    return await pushed(image);
  }

  test("daemon --layer-compression is what plain layers become, with its level", async () => {
    const byDefault = await push("default:1");
    expect(byDefault.mediaType).toBe(gzip);
    expect(byDefault).toEqual(await push("best:1", "--compression", "gzip:9"));
    expect((await push("fast:1", "--compression", "gzip:1")).size).toBeGreaterThan(byDefault.size);
  });

  test("push --compression goes before it, for gzip and zstd, with a level or without", async () => {
    const [fast, best] = [
      await push("z:1", "--compression", "zstd:1"),
      await push("z:19", "--compression", "zstd:19"),
    ];
    expect([fast.mediaType, best.mediaType]).toEqual([zstd, zstd]);
    expect(fast.size).toBeGreaterThan(best.size);
    expect((await push("z:plain", "--compression", "zstd")).mediaType).toBe(zstd);
    expect((await push("g:plain", "--compression", "gzip")).mediaType).toBe(gzip);
  });

  test("save --compression decides about the layers of an archive", async () => {
    const image = await imported("saved:1");
    const sizes: number[] = [];
    for (const [choice, magic] of [
      ["keep", ""],
      ["gzip:1", "1f8b"],
      ["gzip:9", "1f8b"],
      ["zstd:1", "28b52ffd"],
      ["zstd:19", "28b52ffd"],
    ] as const) {
      const file = join(cli.directory, `${choice}.tar`);
      await cli.ok(["save", "--compression", choice, "-o", file, image]);
      const layer = layerOf(file);
      if (magic === "") expect(layer.equals(plain)).toBe(true);
      else expect(layer.toString("hex", 0, magic.length / 2)).toBe(magic);
      sizes.push(layer.length);
    }
    const [kept = 0, gzip1 = 0, gzip9 = 0, zstd1 = 0, zstd19 = 0] = sizes;
    expect([kept > gzip1, gzip1 > gzip9, zstd1 > zstd19]).toEqual([true, true, true]);
  });

  /** The one layer of an archive, as it lies there. */
  function layerOf(archive: string): Buffer {
    const member = (name: string) =>
      Buffer.from(Bun.spawnSync(["tar", "-xOf", archive, name]).stdout);
    const [{ Layers }] = JSON.parse(member("manifest.json").toString());
    return member(Layers[0]);
  }

  test("an unknown compression is refused, with the known ones", async () => {
    const image = await imported("refused:1");
    const refusals = [
      ["xz", "push", "--compression", "xz", image],
      ["gzip:10", "push", "--compression", "gzip:10", image],
      ["zstd:0", "save", "--compression", "zstd:0", "-o", "out.tar", image],
      ["gzip:", "daemon", "--layer-compression", "gzip:", "--data-root", "d", "--run-root", "r"],
    ];
    for (const [choice = "", ...args] of refusals) {
      const { status, stderr } = await cli.run(args);
      expect([choice, status]).not.toEqual([choice, 0]);
      expect(stderr).toContain(`"${choice}"`);
      expect(stderr).toContain("gzip");
    }
  });
});

test("registry serve --host-name answers to the names that are given, and to no other", async () => {
  await using registry = await startRegistry([
    ...["--host-name", "registry.example", "--host-name", "second.example"],
  ]);
  const status = async (host: string) =>
    (await fetch(`${registry.url}/v2/`, { headers: { Host: host } })).status;
  expect(await status("registry.example")).toBe(200);
  expect(await status("registry.example:443")).toBe(200);
  expect(await status("second.example")).toBe(200);
  expect(await status(registry.host)).toBe(200);
  expect(await status("attacker.example")).toBe(403);
  expect(await status("sub.registry.example")).toBe(403);
  await using without = await startRegistry([]);
  const answer = await fetch(`${without.url}/v2/`, { headers: { Host: "registry.example" } });
  expect(answer.status).toBe(403);
});
