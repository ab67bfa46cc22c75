/**
 * Images that others write, and others that read ours: skopeo and umoci as Debian has
 * them, over archives and layouts, and layouts written by hand as still others write
 * them. What counts is that digests come through unchanged.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import {
  asStargz,
  fileTar,
  HandmadeLayout,
  named,
  ociTypes,
  sha256Of,
} from "../support/interop-layout.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const skopeoPath = Bun.which("skopeo");
const umociPath = Bun.which("umoci");

let cli: ThimbleCli;
const image = "interop.example/busybox:1";

beforeAll(async () => {
  if (!isRoot) return;
  cli = new ThimbleCli();
  await cli.importBusybox(image);
});
afterAll(async () => {
  await cli?.[Symbol.asyncDispose]();
});

const path = (name: string) => join(cli.directory, name);

async function peer(...argv: string[]): Promise<string> {
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0) throw new Error(`${argv.join(" ")}: status ${status}: ${err}`);
  return out;
}

const skopeo = (...argv: string[]) => peer("skopeo", "--insecure-policy", ...argv);

const idOf = (name: string) => cli.ok(["image", "inspect", "-f", "{{.Id}}", name]);
const layersOf = (name: string) =>
  cli.ok(["image", "inspect", "-f", "{{json .RootFS.Layers}}", name]);

/** The digests of the manifests that an archive of ours lists. */
async function manifestsOf(file: string): Promise<string[]> {
  const index = JSON.parse(await peer("tar", "-xOf", file, "index.json"));
  return index.manifests.map((entry: { digest: string }) => entry.digest);
}

/** A layout as one file, which is what `load` takes. */
async function packed(directory: string): Promise<string> {
  const file = `${directory}.tar`;
  await peer("tar", "-C", directory, "-cf", file, ".");
  return file;
}

async function unpacked(file: string): Promise<string> {
  const directory = `${file}.d`;
  mkdirSync(directory);
  await peer("tar", "-C", directory, "-xf", file);
  return directory;
}

/** Takes the name off, and with it the image, so that what comes next begins with nothing. */
const forget = (...names: string[]) => cli.ok(["rmi", "-f", ...names]);

describe.skipIf(!skopeoPath || !isRoot)("images and skopeo [needs skopeo]", () => {
  test("save writes a docker-archive that is an oci-archive too", async () => {
    const file = path("ours.tar");
    await cli.ok(["save", "-o", file, image]);
    const id = await idOf(image);
    const config = await skopeo("inspect", "--config", "--raw", `docker-archive:${file}:${image}`);
    expect(sha256Of(config)).toBe(id);
    const manifest = await skopeo("inspect", "--raw", `oci-archive:${file}`);
    expect([sha256Of(manifest)]).toEqual(await manifestsOf(file));
    const asItIs = "--dest-oci-accept-uncompressed-layers";
    await skopeo("copy", asItIs, `oci-archive:${file}`, `oci:${path("from-oci")}:1`);
    expect(sha256Of(await skopeo("inspect", "--raw", `oci:${path("from-oci")}:1`))).toBe(
      sha256Of(manifest),
    );
  });

  for (const [kind, begin, flags] of [
    ["gzip", "1f8b", ["--dest-compress-format", "gzip"]],
    ["zstd", "28b52ffd", ["--dest-compress-format", "zstd"]],
    // Skopeo 1.9 gives the plain ones the media type of gzip; the bytes decide.
    ["tar", Buffer.from("bin\0").toString("hex"), ["--dest-oci-accept-uncompressed-layers"]],
  ] as const) {
    test(`layers that skopeo stores as ${kind} go in and come out unchanged`, async () => {
      const plain = path(`plain-${kind}.tar`);
      const ours = path(`ours-${kind}.tar`);
      const theirs = path(`theirs-${kind}`);
      const name = `interop.example/${kind}:1`;
      await cli.ok(["save", "-o", ours, image]);
      // Through a docker-archive, whose layers are plain, so that they are compressed anew.
      await skopeo("copy", `oci-archive:${ours}`, `docker-archive:${plain}:${name}`);
      await skopeo("copy", ...flags, `docker-archive:${plain}`, `oci:${theirs}:${name}`);
      const manifest = await skopeo("inspect", "--raw", `oci:${theirs}:${name}`);
      const [layer] = JSON.parse(manifest).layers;
      const stored = readFileSync(join(theirs, "blobs", layer.digest.replace(":", "/")));
      expect(stored.toString("hex", 0, 4)).toStartWith(begin);
      expect(await cli.ok(["load", "-q", "-i", await packed(theirs)])).toBe(
        `Loaded image: ${name}`,
      );
      expect(await layersOf(name)).toBe(await layersOf(image));
      expect(await cli.ok(["run", "--rm", name, "echo", kind])).toBe(kind);
      const again = path(`again-${kind}.tar`);
      await cli.ok(["save", "--compression", "keep", "-o", again, name]);
      expect(await manifestsOf(again)).toEqual([sha256Of(manifest)]);
      expect(sha256Of(await skopeo("inspect", "--raw", `oci-archive:${again}`))).toBe(
        sha256Of(manifest),
      );
      await forget(name);
    });
  }

  test("a docker-archive of skopeo's loads, with the same id", async () => {
    const [ours, theirs] = [path("round.tar"), path("round-back.tar")];
    const name = "interop.example/docker-archive:1";
    await cli.ok(["save", "-o", ours, image]);
    await skopeo("copy", `docker-archive:${ours}:${image}`, `docker-archive:${theirs}:${name}`);
    expect(await cli.ok(["load", "-q", "-i", theirs])).toBe(`Loaded image: ${name}`);
    expect(await idOf(name)).toBe(await idOf(image));
    await forget(name);
  });

  test("of several images in one archive each is found by its name", async () => {
    const other = "interop.example/other:2";
    const file = path("several.tar");
    await cli.ok(["import", "-", other], { input: fileTar("made", "by hand\n") });
    await cli.ok(["save", "-o", file, image, other]);
    for (const name of [image, other]) {
      const config = await skopeo("inspect", "--config", "--raw", `docker-archive:${file}:${name}`);
      expect(sha256Of(config)).toBe(await idOf(name));
    }
    // One layout of skopeo's with both, made by adding to it.
    const theirs = path("several-theirs");
    for (const name of [image, other])
      await skopeo("copy", `oci-archive:${file}:${name.split(":")[1]}`, `oci:${theirs}:${name}`);
    const ids = [await idOf(image), await idOf(other)];
    await forget(other);
    const loaded = await cli.ok(["load", "-q", "-i", await packed(theirs)]);
    expect(loaded.split("\n").sort()).toEqual(
      [image, other].map((name) => `Loaded image: ${name}`).sort(),
    );
    expect([await idOf(image), await idOf(other)]).toEqual(ids);
    await forget(other);
  });
});

describe.skipIf(!umociPath || !isRoot)("images and umoci [needs umoci]", () => {
  test("umoci unpacks an archive of save, and its own archive loads", async () => {
    const name = "interop.example/for-umoci:1";
    const file = path("for-umoci.tar");
    await cli.ok(["tag", image, name]);
    await cli.ok(["save", "-o", file, name]);
    await forget(name);
    const layout = await unpacked(file);
    expect((await peer("umoci", "ls", "--layout", layout)).trim()).toBe("1");
    const bundle = path("bundle");
    await peer("umoci", "unpack", "--image", `${layout}:1`, bundle);
    const rootfs = join(bundle, "rootfs");
    const listed = await cli.ok(["run", "--rm", image, "ls", "/"]);
    expect(readdirSync(rootfs).sort()).toEqual(listed.split("\n").sort());
    expect(readFileSync(join(rootfs, "etc/passwd"), "utf8")).toStartWith("root:x:0:0:");
    await Bun.write(join(rootfs, "etc/made-by"), "umoci\n");
    await peer("rm", join(rootfs, "etc/group"));
    await peer("umoci", "repack", "--image", `${layout}:2`, bundle);
    await peer("umoci", "config", "--image", `${layout}:2`, "--config.env", "MAKER=umoci");
    await peer("umoci", "rm", "--image", `${layout}:1`);
    // umoci keeps the annotation that tells the whole name.
    expect(await cli.ok(["load", "-q", "-i", await packed(layout)])).toBe(`Loaded image: ${name}`);
    const script = "cat /etc/made-by; ls /etc/group; echo $MAKER";
    const ran = await cli.run(["run", "--rm", name, "sh", "-c", script]);
    expect(ran.stdout).toBe("umoci\numoci\n");
    expect(ran.stderr).toContain("/etc/group: No such file");
    const layers = JSON.parse(await layersOf(name));
    expect(layers).toHaveLength(2);
    expect(layers[0]).toBe(JSON.parse(await layersOf(image))[0]);
    const stat = JSON.parse(await peer("umoci", "stat", "--json", "--image", `${layout}:2`));
    expect(stat.history).toHaveLength((await cli.ok(["history", "-q", name])).split("\n").length);
    await forget(name);
  });

  test("an image that umoci made from nothing keeps its digests", async () => {
    const layout = path("from-nothing");
    await peer("umoci", "init", "--layout", layout);
    await peer("umoci", "new", "--image", `${layout}:1`);
    const bundle = path("nothing");
    await peer("umoci", "unpack", "--image", `${layout}:1`, bundle);
    await Bun.write(join(bundle, "rootfs/hello"), "hello\n");
    await peer("umoci", "repack", "--image", `${layout}:1`, bundle);
    await peer("umoci", "gc", "--layout", layout);
    const [entry] = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")).manifests;
    const loaded = await cli.ok(["load", "-q", "-i", await packed(layout)]);
    const id = loaded.replace("Loaded image ID: ", "");
    const manifest = readFileSync(join(layout, "blobs", entry.digest.replace(":", "/")), "utf8");
    expect(id).toBe(JSON.parse(manifest).config.digest);
    const file = path("from-nothing-again.tar");
    await cli.ok(["save", "-o", file, id]);
    expect(await manifestsOf(file)).toEqual([entry.digest]);
    await forget(id);
  });
});

describe.skipIf(!isRoot)("layouts as others write them [needs root]", () => {
  const tar = fileTar("made", "by hand\n");
  const name = "interop.example/handmade:1";

  for (const [kind, type, bytes] of [
    ["uncompressed", ociTypes.tar, tar],
    ["gzip", ociTypes.gzip, gzipSync(tar)],
    ["zstd", ociTypes.zstd, zstdCompressSync(tar)],
    ["eStargz", ociTypes.gzip, asStargz(tar)],
    ["zstd of several frames", ociTypes.zstd, zstdFrames(tar)],
  ] as const) {
    test(`a layer that is ${kind}`, async () => {
      const layout = new HandmadeLayout(path(`layout-${kind.replaceAll(" ", "-")}`));
      const made = layout.image([{ tar, type, bytes }]);
      layout.index(named(made, name));
      expect(await cli.ok(["load", "-q", "-i", await packed(layout.directory)])).toBe(
        `Loaded image: ${name}`,
      );
      expect(JSON.parse(await layersOf(name))).toEqual([sha256Of(tar)]);
      const file = `${layout.directory}-again.tar`;
      await cli.ok(["save", "--compression", "keep", "-o", file, name]);
      expect(await manifestsOf(file)).toEqual([made.digest]);
      if (skopeoPath) {
        const raw = await skopeo("inspect", "--raw", `oci-archive:${file}`);
        expect(sha256Of(raw)).toBe(made.digest);
      }
      await forget(name);
    });
  }

  test("an index of an image and its attestation is the image", async () => {
    const layout = new HandmadeLayout(path("attested"));
    const made = layout.image([{ tar, type: ociTypes.gzip, bytes: gzipSync(tar) }]);
    const statement = layout.blob("application/vnd.in-toto+json", '{"_type":"statement"}');
    const attestation = {
      ...layout.document(ociTypes.manifest, { config: layout.config([]), layers: [statement] }),
      platform: { os: "unknown", architecture: "unknown" },
      annotations: {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": made.digest,
      },
    };
    const both = layout.document(ociTypes.index, { manifests: [attestation, made] });
    layout.index(named(both, name));
    expect(await cli.ok(["load", "-q", "-i", await packed(layout.directory)])).toBe(
      `Loaded image: ${name}`,
    );
    expect(JSON.parse(await layersOf(name))).toEqual([sha256Of(tar)]);
    await forget(name);
  });

  test("one that is stored by another manifest already, and another that shares its layers", async () => {
    const base = fileTar("base", "below\n");
    const plain = [base, tar].map((each) => ({ tar: each, type: ociTypes.tar, bytes: each }));
    const packedUp = plain.map((each) => ({
      ...each,
      type: ociTypes.gzip,
      bytes: gzipSync(each.bytes),
    }));
    const first = new HandmadeLayout(path("stored-before"));
    first.index(named(first.image(packedUp), name));
    await cli.ok(["load", "-q", "-i", await packed(first.directory)]);
    const second = new HandmadeLayout(path("stored-again"));
    // Without whole names: nothing but the load itself holds what the first of them brings.
    second.index(named(second.image(plain), "1"), named(second.image(plain.slice(0, 1)), "2"));
    const loaded = await cli.ok(["load", "-q", "-i", await packed(second.directory)]);
    const ids = loaded.split("\n").map((line) => line.replace("Loaded image ID: ", ""));
    expect(ids[0]).toBe(await idOf(name));
    expect(JSON.parse(await layersOf(ids[1] ?? ""))).toEqual([sha256Of(base)]);
    await forget(...ids);
  });

  test("schema 1 is refused by its name", async () => {
    const layout = new HandmadeLayout(path("schema-1"));
    const type = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    const old = { schemaVersion: 1, name: "old", tag: "1", fsLayers: [], history: [] };
    layout.index(named(layout.blob(type, JSON.stringify(old)), name));
    const { status, stderr } = await cli.run(["load", "-q", "-i", await packed(layout.directory)]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/schema 1/i);
    expect((await cli.run(["image", "inspect", name])).status).toBe(1);
  });
});

/** A tar as two zstd frames, one after the other (RFC 8878, section 3.1). */
function zstdFrames(tar: Uint8Array): Uint8Array {
  return Buffer.concat(
    [tar.subarray(0, 700), tar.subarray(700)].map((part) => zstdCompressSync(part)),
  );
}
