import { expect, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { collect } from "#base";
import { type Digest, encodeDocument, parseReference, sha256 } from "#image";
import { faultOf, openTestContent } from "../support/content.ts";
import { streamOf, type TarMember, tarOf } from "../support/tree.ts";

const base = tarOf([
  { name: "etc/", type: "directory", mode: 0o755 },
  { name: "etc/passwd", content: "base" },
  { name: "gone", content: "x" },
]);
const top = tarOf([{ name: "etc/passwd", content: "top!" }, { name: ".wh.gone" }]);
const noUsers = { force: false, usersOf: () => [] };
const hex = (bytes: Uint8Array) => sha256(bytes).slice(7);

function configOf(layers: readonly Uint8Array[], more: object = {}): Buffer {
  return encodeDocument({
    architecture: "amd64",
    os: "linux",
    created: "2024-05-06T07:08:09.5Z",
    docker_version: "kept",
    config: { Cmd: ["/bin/sh"], Env: null },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => sha256(layer)) },
    ...more,
  });
}

const file = (name: string, bytes: Uint8Array): TarMember => ({
  name,
  content: Buffer.from(bytes).toString("latin1"),
});

/** As Docker 1.10 to 24 saved: layers in directories, one of them a link to another. */
function classicArchive(tags: readonly string[] | null, changes: object = {}): Buffer {
  const config = configOf([base, top, base]);
  const manifest = [
    {
      Config: `${hex(config)}.json`,
      RepoTags: tags,
      Layers: ["a/layer.tar", "b/layer.tar", "c/layer.tar"],
      ...changes,
    },
  ];
  return tarOf([
    file("a/layer.tar", base),
    file("a/VERSION", Buffer.from("1.0")),
    file("b/layer.tar", top),
    { name: "c/layer.tar", type: "symlink", linkName: "../a/layer.tar" },
    file(`${hex(config)}.json`, config),
    file("manifest.json", encodeDocument(manifest)),
  ]);
}

interface Layout {
  readonly archive: Buffer;
  readonly manifest: Buffer;
  readonly config: Buffer;
}

/** An OCI layout of one image, its layers compressed. */
function ociLayout(
  options: {
    readonly annotations?: object;
    readonly nested?: boolean;
    readonly break?: (name: string, bytes: Buffer) => Buffer | undefined;
  } = {},
): Layout {
  const config = configOf([base, top]);
  const blobs = [gzipSync(base), Buffer.from(zstdCompressSync(top)), config];
  const type = "application/vnd.oci.image";
  const describe = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  const manifest = encodeDocument({
    schemaVersion: 2,
    mediaType: `${type}.manifest.v1+json`,
    config: describe(`${type}.config.v1+json`, config),
    layers: [
      describe(`${type}.layer.v1.tar+gzip`, blobs[0] as Buffer),
      describe(`${type}.layer.v1.tar+zstd`, blobs[1] as Buffer),
    ],
    annotations: { note: "kept" },
  });
  blobs.push(manifest);
  let entry: object = {
    ...describe(`${type}.manifest.v1+json`, manifest),
    platform: { os: "linux", architecture: "amd64" },
  };
  if (options.nested) {
    const missing = {
      ...describe(`${type}.manifest.v1+json`, Buffer.from("other")),
      platform: { os: "linux", architecture: "s390x" },
    };
    const attestation = {
      ...describe(`${type}.manifest.v1+json`, Buffer.from("x")),
      annotations: { "vnd.docker.reference.type": "attestation-manifest" },
    };
    const index = encodeDocument({
      schemaVersion: 2,
      mediaType: `${type}.index.v1+json`,
      manifests: [attestation, missing, entry],
    });
    blobs.push(index);
    entry = describe(`${type}.index.v1+json`, index);
  }
  const index = encodeDocument({
    schemaVersion: 2,
    manifests: [{ ...entry, annotations: options.annotations }],
  });
  const members = blobs.map((bytes) => [`blobs/sha256/${hex(bytes)}`, bytes] as const);
  const all = [
    ["oci-layout", Buffer.from('{"imageLayoutVersion":"1.0.0"}')] as const,
    ["index.json", index] as const,
    ...members,
  ];
  const kept = all.map(
    ([name, bytes]) => [name, options.break ? options.break(name, bytes) : bytes] as const,
  );
  return {
    archive: tarOf(kept.flatMap(([name, bytes]) => (bytes ? [file(name, bytes)] : []))),
    manifest,
    config,
  };
}

test("a docker save of old is loaded, by any compression, with its id kept", async () => {
  await using data = await openTestContent();
  const { content } = data;
  const archive = classicArchive(["app:one", "example.org/app:two"]);
  const id = sha256(configOf([base, top, base]));
  for (const bytes of [archive, gzipSync(archive), Buffer.from(zstdCompressSync(archive))]) {
    const [loaded] = await content.loadArchive(streamOf(bytes, 1000));
    expect(loaded?.image.id).toBe(id);
    expect(loaded?.tags).toEqual(["app:one", "example.org/app:two"]);
  }
  const image = content.resolve("app:one");
  expect(image.size).toBe(5 + 4 + 5);
  expect(image.layers.map(({ size }) => size)).toEqual([5, 4, 5]);
  expect(image.created).toBe(Date.parse("2024-05-06T07:08:09Z") / 1000);
  expect(image.tags).toEqual(["app:one", "example.org/app:two"]);
  expect((await data.snapshots.lookup(image.chainId as string, "etc/passwd"))?.toString()).toBe(
    "base",
  );
  expect(
    (await data.snapshots.lookup(image.layers[1]?.chainId as string, "etc/passwd"))?.toString(),
  ).toBe("top!");
  expect(await data.snapshots.lookup(image.layers[1]?.chainId as string, "gone")).toBeUndefined();
  // manifest, configuration, two different layers
  expect(await data.leftovers()).toEqual({ blobs: 4, snapshots: 3, loose: [] });
});

test.each<[string, object | undefined, readonly string[]]>([
  [
    "containerd's name",
    {
      "io.containerd.image.name": "docker.io/library/app:1",
      "org.opencontainers.image.ref.name": "1",
    },
    ["app:1"],
  ],
  [
    "a whole name as ref.name",
    { "org.opencontainers.image.ref.name": "example.org/app:2" },
    ["example.org/app:2"],
  ],
  ["only a tag", { "org.opencontainers.image.ref.name": "latest" }, []],
  ["none", undefined, []],
])("an OCI layout is loaded, its digests kept; name: %s", async (_, annotations, tags) => {
  await using data = await openTestContent();
  for (const nested of [false, true]) {
    const layout = ociLayout({ nested, ...(annotations && { annotations }) });
    const [loaded, ...more] = await data.content.loadArchive(streamOf(layout.archive));
    expect(more).toEqual([]);
    expect(loaded?.image.digest).toBe(sha256(layout.manifest));
    expect(loaded?.image.id).toBe(sha256(layout.config));
    expect(loaded?.tags).toEqual(tags);
  }
});

test("a saved archive loads again with the same ids, digests and names", async () => {
  await using data = await openTestContent();
  await data.content.loadArchive(
    streamOf(
      ociLayout({ annotations: { "io.containerd.image.name": "docker.io/library/oci:1" } }).archive,
    ),
  );
  await data.content.loadArchive(streamOf(classicArchive(["app:one", "app:two"])));
  const save = (...refs: string[]) =>
    collect(data.content.saveArchive(refs, { compression: "keep" }), 1 << 24, "archive");
  const saved = await save("oci:1", "app:one", "app:two");
  expect(saved.equals(await save("oci:1", "app:one", "app:two"))).toBe(true);
  await using other = await openTestContent();
  const loaded = await other.content.loadArchive(streamOf(saved, 777));
  expect(loaded.length).toBe(2);
  for (const name of ["oci:1", "app:one", "app:two"]) {
    const [here, there] = [data.content.resolve(name), other.content.resolve(name)];
    expect([there.id, there.digest, there.chainId, there.size, there.tags]).toEqual([
      here.id,
      here.digest,
      here.chainId,
      here.size,
      here.tags,
    ]);
  }
  const byId = await save(data.content.resolve("app:one").id);
  await using third = await openTestContent();
  expect((await third.content.loadArchive(streamOf(byId)))[0]?.tags).toEqual([]);
  expect(() => data.content.saveArchive(["oci:1", "none"])).toThrow('no image "none"');
});

const bad: readonly (readonly [string, string, string, () => Buffer])[] = [
  ["no archive", "invalid", "not a tar archive", () => Buffer.from("hello ".repeat(200))],
  ["an empty archive", "invalid", "holds no images", () => tarOf([])],
  ["a root file system", "invalid", "use import", () => base],
  [
    "an archive of Docker before 1.10",
    "invalid",
    "no longer supported",
    () => tarOf([file("repositories", Buffer.from("{}"))]),
  ],
  ["a cut archive", "invalid", "cut off", () => classicArchive(["a:1"]).subarray(0, 4000)],
  [
    "a missing layer",
    "not_found",
    '"b/none"',
    () => classicArchive(["a:1"], { Layers: ["a/layer.tar", "b/none", "c/layer.tar"] }),
  ],
  ["a name that is none", "invalid", "RepoTags[0]", () => classicArchive(["../A:1"])],
  [
    "layers out of order",
    "data_loss",
    "does not match its digest",
    () => classicArchive(["a:1"], { Layers: ["b/layer.tar", "a/layer.tar", "c/layer.tar"] }),
  ],
  [
    "too few layers",
    "invalid",
    "2 layers",
    () => classicArchive(["a:1"], { Layers: ["a/layer.tar", "b/layer.tar"] }),
  ],
  [
    "a path out of the archive",
    "not_found",
    "/etc/passwd",
    () => classicArchive(["a:1"], { Config: "../../../etc/passwd" }),
  ],
  [
    "a blob that is not its digest",
    "data_loss",
    "does not match its digest",
    () =>
      ociLayout({
        break: (name, bytes) =>
          name.endsWith(hex(gzipSync(base))) ? Buffer.from("tampered") : bytes,
      }).archive,
  ],
  [
    "a configuration that is not its digest",
    "data_loss",
    "does not match its digest",
    () =>
      ociLayout({
        break: (name, bytes) =>
          name.endsWith(hex(configOf([base, top])))
            ? configOf([base, top], { author: "evil" })
            : bytes,
      }).archive,
  ],
  [
    "a blob that is not there",
    "not_found",
    "does not hold it",
    () =>
      ociLayout({
        break: (name, bytes) => (name.endsWith(hex(gzipSync(base))) ? undefined : bytes),
      }).archive,
  ],
  [
    "a layer that is not an archive",
    "invalid",
    "not a tar archive",
    () => singleLayer(Buffer.from("no tar ".repeat(100))),
  ],
  [
    "a layer that leaves its root",
    "invalid",
    "leads out",
    () =>
      singleLayer(
        tarOf([
          { name: "ok", content: "1" },
          { name: "../x", content: "1" },
        ]),
      ),
  ],
  [
    "an image for another system",
    "unsupported",
    "windows",
    () => singleLayer(base, { os: "windows" }),
  ],
  [
    "a manifest that is too large",
    "exhausted",
    "4194304",
    () => tarOf([file("manifest.json", Buffer.alloc(5 << 20, 0x20))]),
  ],
  [
    "a link in a circle",
    "not_found",
    "manifest.json",
    () =>
      tarOf([
        { name: "manifest.json", type: "symlink", linkName: "manifest.json" },
        file("index.json", Buffer.from("{}")),
      ]),
  ],
];

function singleLayer(layer: Buffer, more: object = {}): Buffer {
  const config = configOf([layer], more);
  return tarOf([
    file("l.tar", layer),
    file("c.json", config),
    file(
      "manifest.json",
      encodeDocument([{ Config: "c.json", RepoTags: ["a:1"], Layers: ["l.tar"] }]),
    ),
  ]);
}

test("an archive that cannot be loaded says why, with digests where they matter, and leaves nothing", async () => {
  await using data = await openTestContent();
  for (const [what, code, says, archive] of bad) {
    const fault = await faultOf(data.content.loadArchive(streamOf(archive(), 3000)));
    const isCircle = what === "a link in a circle";
    expect([what, fault.code as string]).toEqual([what, isCircle ? "invalid" : code]);
    if (!isCircle) expect(fault.message).toContain(says);
    if (code === "data_loss")
      expect(fault.message).toMatch(/expected sha256:[0-9a-f]{64}, got sha256:[0-9a-f]{64}/);
    expect([what, await data.leftovers()]).toEqual([what, { blobs: 0, snapshots: 0, loose: [] }]);
    expect(data.content.images.list()).toEqual([]);
  }
});

test("images of one stack share its snapshots, unpacked once even when loaded at once", async () => {
  await using data = await openTestContent();
  const archive = (author: string) => {
    const config = configOf([base, top], { author });
    return tarOf([
      file("a.tar", base),
      file("b.tar", top),
      file("c.json", config),
      file(
        "manifest.json",
        encodeDocument([
          { Config: "c.json", RepoTags: [`${author}:1`], Layers: ["a.tar", "b.tar"] },
        ]),
      ),
    ]);
  };
  await Promise.all(
    ["a", "b", "c", "d"].map((author) => data.content.loadArchive(streamOf(archive(author)))),
  );
  expect(data.content.images.list().length).toBe(4);
  expect(await data.leftovers()).toEqual({ blobs: 2 + 2 * 4, snapshots: 2, loose: [] });
  for (const author of ["a", "b", "c"]) await data.content.images.remove(`${author}:1`, noUsers);
  expect(await data.leftovers()).toEqual({ blobs: 4, snapshots: 2, loose: [] });
  const removals = await data.content.images.remove("d:1", noUsers);
  expect(removals.length).toBe(1 + 1 + 2);
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});

test("a removal while another load needs the same layers takes none of them away", async () => {
  await using data = await openTestContent();
  const slow = async function* () {
    const archive = classicArchive(["second:1"], {});
    yield archive.subarray(0, 3000);
    await data.content.images.remove("first:1", noUsers);
    yield archive.subarray(3000);
  };
  await data.content.loadArchive(streamOf(classicArchive(["first:1"])));
  const lease = data.content.lease();
  for (const { chainId, blob } of data.content.resolve("first:1").layers) {
    lease.holdLayer(chainId);
    lease.holdBlob(blob.digest);
  }
  await data.content.loadArchive(slow());
  expect(
    data.content.resolve("second:1").layers.every(({ blob }) => data.content.has(blob.digest)),
  ).toBe(true);
  await lease[Symbol.asyncDispose]();
  expect(await data.leftovers()).toEqual({ blobs: 4, snapshots: 3, loose: [] });
});

test("names: tag, move, untag, dangling, and resolving", async () => {
  await using data = await openTestContent();
  const { content } = data;
  const { images } = content;
  await content.loadArchive(streamOf(classicArchive(["app:one"])));
  await content.loadArchive(streamOf(singleLayer(base)));
  const { id } = content.resolve("app:one");
  const other = content.resolve("a:1").id;
  expect(images.tag("app:one", "example.org/x").tags).toEqual(["app:one", "example.org/x:latest"]);
  expect(images.tag(id.slice(7, 19), "cafe").tags).toContain("cafe:latest");
  expect(content.resolve("cafe").id).toBe(id);
  for (const ref of [
    id,
    id.slice(7),
    id.slice(7, 19),
    id.slice(0, 20),
    "docker.io/library/app:one",
  ])
    expect(content.resolve(ref).id).toBe(id);
  expect(content.resolve(`app@${content.resolve("app:one").digest}`).id).toBe(id);
  images.tag("a:1", "app:one");
  expect(content.resolve("app:one").id).toBe(other);
  expect(content.findById(id)?.tags).toEqual(["cafe:latest", "example.org/x:latest"]);
  images.untag("cafe");
  images.untag("example.org/x");
  expect(content.findById(id)?.tags).toEqual([]);
  expect(content.findById(id)?.lastTagged).toBeUndefined();
  for (const [ref, code] of [
    ["none", "not_found"],
    ["app:two", "not_found"],
    ["sha256:abc", "not_found"],
    ["APP", "invalid"],
    ["", "invalid"],
    [`sha256:${"0".repeat(64)}`, "not_found"],
    [`other@${content.findById(id)?.digest}`, "not_found"],
  ]) {
    expect([
      ref,
      await faultOf(Promise.resolve().then(() => content.resolve(ref as string))).then(
        (f) => f.code as string,
      ),
    ]).toEqual([ref, code as string]);
  }
  expect((await faultOf(Promise.resolve().then(() => images.tag("a:1", `b@${id}`)))).code).toBe(
    "invalid",
  );
});

test("removal follows docker rmi", async () => {
  await using data = await openTestContent();
  const { images } = data.content;
  const load = async () => {
    await data.content.loadArchive(streamOf(classicArchive(["app:one", "app:two"])));
    return data.content.resolve("app:one").id;
  };
  const id = await load();
  const users =
    (...running: boolean[]) =>
    () =>
      running.map((each, i) => ({ id: `c0ffee00000${i}`, running: each }));
  const remove = (ref: string, force: boolean, ...running: boolean[]) =>
    images.remove(ref, { force, usersOf: users(...running) });

  expect((await faultOf(remove(id, false))).message).toContain("must be forced");
  expect(await remove("app:two", false, true)).toEqual([{ untagged: "app:two" }]);
  const last = await faultOf(remove("app:one", false, false));
  expect([last.code, last.message]).toEqual([
    "conflict",
    expect.stringContaining("container c0ffee000000 is using its referenced image"),
  ]);
  expect((await faultOf(remove(id, false, false))).message).toContain("stopped container");
  expect((await faultOf(remove(id, true, true))).message).toContain("cannot be forced");
  expect(await remove("app:one", true, true)).toEqual([{ untagged: "app:one" }]);
  expect(data.content.findById(id)?.tags).toEqual([]);

  const gone = await remove(id.slice(7, 19), true);
  expect(gone[0]).toEqual({ deleted: id });
  expect(gone.length).toBe(1 + 3);
  expect((await faultOf(remove(id, true))).code).toBe("not_found");
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });

  await load();
  const both = await remove(id, true);
  expect(both.slice(0, 3)).toEqual([
    { untagged: "app:one" },
    { untagged: "app:two" },
    { deleted: id },
  ]);
});

test("layers under a container outlive their image, until the container is gone", async () => {
  await using data = await openTestContent();
  await data.content.loadArchive(streamOf(classicArchive(["app:one"])));
  const { id, chainId } = data.content.resolve("app:one");
  await data.snapshots.prepare("container", chainId);
  expect(
    await data.content.images.remove(id, {
      force: true,
      usersOf: () => [{ id: "c", running: false }],
    }),
  ).toEqual([{ untagged: "app:one" }, { deleted: id }]);
  expect((await data.snapshots.lookup("container", "etc/passwd"))?.toString()).toBe("base");
  await data.snapshots.remove("container");
  await data.content.collect();
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});

test("import: a tree becomes an image with changes", async () => {
  await using data = await openTestContent();
  const { content } = data;
  const progress: number[] = [];
  const image = await content.importTree(streamOf(gzipSync(base)), {
    reference: parseReference("imported"),
    changes: ['CMD ["/bin/app"]', "ENV A=1", "EXPOSE 80"],
    message: "from a test",
    platform: { os: "linux", architecture: "arm64" },
    onProgress: (bytes) => progress.push(bytes),
  });
  expect(image.tags).toEqual(["imported:latest"]);
  expect(image.config.config as object).toEqual({
    Cmd: ["/bin/app"],
    Env: ["A=1"],
    ExposedPorts: { "80/tcp": {} },
  });
  expect(image.config.architecture).toBe("arm64");
  expect(image.config.history?.[0]?.comment).toBe("from a test");
  expect(image.layers[0]?.diffId as Digest | undefined).toBe(sha256(base));
  expect((await data.snapshots.lookup(image.chainId as string, "etc/passwd"))?.toString()).toBe(
    "base",
  );
  const again = await content.importTree(streamOf(base));
  expect(again.chainId).toBe(image.chainId as never);
  const before = await data.leftovers();
  for (const [bytes, changes, code] of [
    [base, ["RUN x"], "invalid"],
    [base.subarray(0, 700), [], "invalid"],
    [Buffer.from("BZh9 and more of it"), [], "unsupported"],
    [tarOf([{ name: "../x", content: "" }]), [], "invalid"],
  ] as const) {
    const fault = await faultOf(content.importTree(streamOf(bytes), { changes }));
    expect(fault.code).toBe(code);
  }
  expect(await data.leftovers()).toEqual(before);
});

test("a tree is taken over by a rename; with a time given, twice the same gives the same", async () => {
  await using data = await openTestContent();
  const tree = join(data.work, "tree");
  const make = () => {
    mkdirSync(join(tree, "etc"), { recursive: true });
    writeFileSync(join(tree, "etc/passwd"), "root");
    writeFileSync(join(tree, "app"), "app", { mode: 0o755 });
    return tree;
  };
  const created = 1_700_000_000_000_000_000n;
  const options = {
    config: { Cmd: ["/app"] },
    created,
    reference: parseReference("made:1"),
    history: { created_by: "test" },
  };
  const image = await data.content.createImageFromTree({ directory: make(), ...options });
  expect(readdirSync(data.work)).toEqual([]);
  expect(image.config.created).toBe("2023-11-14T22:13:20.000000000Z");
  expect(image.config.history as object).toEqual([
    { created: image.config.created, created_by: "test" },
  ]);
  expect(image.size).toBe(7);
  expect((await data.snapshots.lookup(image.chainId as string, "etc/passwd"))?.toString()).toBe(
    "root",
  );
  const second = await data.content.createImageFromTree({ directory: make(), ...options });
  expect([second.id, second.digest]).toEqual([image.id, image.digest]);
  expect(readdirSync(data.work)).toEqual([]);
  await using other = await openTestContent();
  await other.content.loadArchive(data.content.saveArchive(["made:1"]));
  expect(other.content.resolve("made:1").chainId).toBe(image.chainId as never);
  expect(await data.leftovers()).toEqual({ blobs: 3, snapshots: 1, loose: [] });
});

test("a container's changes become a layer over its image", async () => {
  await using data = await openTestContent();
  await data.content.loadArchive(streamOf(classicArchive(["app:one"])));
  const baseImage = data.content.resolve("app:one");
  await data.snapshots.prepare("c", baseImage.chainId);
  const upper = data.snapshots.directory("c");
  writeFileSync(join(upper, "new"), "new");
  const image = await data.content.createImageFromUpper({
    upper,
    base: baseImage,
    config: { Cmd: ["x"] },
    reference: parseReference("app:committed"),
  });
  expect(image.layers.length).toBe(4);
  expect((await data.snapshots.lookup(image.chainId as string, "new"))?.toString()).toBe("new");
  expect((await data.snapshots.lookup(image.chainId as string, "etc/passwd"))?.toString()).toBe(
    "base",
  );
  expect(readFileSync(join(upper, "new"), "utf8")).toBe("new");
});

test("after a crash: unfinished data goes, lost layers are unpacked again", async () => {
  const first = await openTestContent();
  await first.content.loadArchive(streamOf(classicArchive(["app:one"])));
  const { id, chainId, layers } = first.content.resolve("app:one");
  await first.snapshots.drain();
  // A blob without an image, a half ingested one, a layer without an image, a half unpacked one.
  writeFileSync(join(first.root, "content/blobs/sha256", "0".repeat(64)), "orphan");
  mkdirSync(join(first.root, "content/ingest/w-x"), { recursive: true });
  const orphan = join(first.work, "orphan");
  mkdirSync(orphan);
  await first.snapshots.adopt(sha256("orphan") as never, undefined, { directory: orphan, size: 0 });
  await first.snapshots.prepare("unpack-half", layers[0]?.chainId);
  // The uppermost layer's directory, lost with its row.
  const lost = first.snapshots.directory(chainId as string);
  cpSync(lost, join(first.work, "copy"), { recursive: true });
  rmSync(join(lost, ".."), { recursive: true });
  await using second = await first.reopen();
  expect(second.content.resolve("app:one").id).toBe(id);
  expect((await second.snapshots.lookup(chainId as string, "etc/passwd"))?.toString()).toBe("base");
  expect(await second.leftovers()).toEqual({ blobs: 4, snapshots: 3, loose: [] });
  expect(await second.snapshots.activeKeys()).toEqual([]);
});

test("blobs: verified, whole or not at all", async () => {
  await using data = await openTestContent();
  const { content } = data;
  const bytes = Buffer.from("blob ".repeat(1000));
  const digest = sha256(bytes);
  const wrong = await faultOf(content.ingest(streamOf(bytes), { digest: sha256("other") }));
  expect([wrong.code, wrong.message]).toEqual(["data_loss", expect.stringContaining(digest)]);
  expect(wrong.message).toContain(sha256("other"));
  expect((await faultOf(content.ingest(streamOf(bytes), { size: 10 }))).code).toBe("exhausted");
  expect((await faultOf(content.ingest(streamOf(bytes), { size: bytes.length + 1 }))).code).toBe(
    "data_loss",
  );
  const dying = async function* () {
    yield bytes;
    throw new Error("the line is dead");
  };
  await faultOf(content.ingest(dying()));
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
  expect(await content.ingest(streamOf(bytes, 7), { digest, size: bytes.length })).toEqual({
    digest,
    size: bytes.length,
  });
  expect(content.has(digest)).toBe(true);
  expect((await collect(content.read(digest), 1 << 20, "blob")).equals(bytes)).toBe(true);
  expect((await faultOf(collect(content.read(sha256("none")), 1, "blob"))).code).toBe("not_found");
});

test("cancelling a load leaves nothing", async () => {
  await using data = await openTestContent();
  const stop = new AbortController();
  const stalled = async function* () {
    yield classicArchive(["a:1"]).subarray(0, 3000);
    stop.abort();
    await new Promise(() => undefined);
  };
  const fault = await faultOf(data.content.loadArchive(stalled(), { signal: stop.signal }));
  expect(fault.code).toBe("canceled");
  expect(await data.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});
