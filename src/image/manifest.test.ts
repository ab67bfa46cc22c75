import { expect, test } from "bun:test";
import { defined, Fault } from "#base";
import {
  chainIds,
  type DiffId,
  type Digest,
  encodeDocument,
  hostPlatform,
  isAttestation,
  mediaTypes,
  parseDigest,
  parseImageConfig,
  parseIndex,
  parseManifest,
  parsePlatform,
  requireDigest,
  selectManifest,
  sha256,
} from "./index.ts";

const digest = sha256("x");
const descriptor = { mediaType: mediaTypes.layer, digest, size: 3 };
const manifest = {
  schemaVersion: 2,
  mediaType: mediaTypes.manifest,
  config: { mediaType: mediaTypes.config, digest, size: 1 },
  layers: [descriptor],
};

function fault(work: () => unknown): Fault {
  try {
    work();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

test("chain ids are those of the image-spec", () => {
  const layers = ["a", "b", "c"].map((each) => sha256(each) as DiffId);
  const [a, b, c] = chainIds(layers);
  expect(a as string).toBe(layers[0] as string);
  expect(b as string).toBe(sha256(`${layers[0]} ${layers[1]}`));
  expect(c as string).toBe(sha256(`${b} ${layers[2]}`));
  expect(chainIds([])).toEqual([]);
});

test("digests: sha256 and sha512 in lower case", () => {
  expect(parseDigest(digest)).toBe(digest);
  expect(fault(() => parseDigest(digest.toUpperCase())).code).toBe("invalid");
  expect(fault(() => parseDigest("sha256:../../x")).code).toBe("invalid");
  expect(parseDigest(`sha512:${"0".repeat(128)}`)).toHaveLength(135);
  for (const length of [64, 96, 127, 129]) {
    expect(fault(() => parseDigest(`sha512:${"0".repeat(length)}`)).code).toBe("invalid");
  }
  expect(fault(() => parseDigest(`sha384:${"0".repeat(96)}`)).code).toBe("unsupported");
  const mismatch = fault(() => requireDigest("blob", digest, sha256("y")));
  expect(mismatch.code).toBe("data_loss");
  expect(mismatch.message).toContain(digest);
  expect(mismatch.message).toContain(sha256("y"));
});

test("a manifest keeps unknown members and drops nulls", () => {
  const parsed = parseManifest(
    encodeDocument({
      ...manifest,
      annotations: null,
      future: { x: [1] },
      layers: [{ ...descriptor, urls: ["u"] }],
    }),
  );
  expect(parsed).toEqual({
    ...manifest,
    schemaVersion: 2,
    future: { x: [1] },
    layers: [{ ...descriptor, urls: ["u"] }],
  } as never);
});

test.each([
  ["nothing", {}, "schemaVersion"],
  ["schema 1", { schemaVersion: 1 }, "no longer supported"],
  ["an index inside", { ...manifest, manifests: [] }, "manifests"],
  ["a wrong type", { ...manifest, mediaType: mediaTypes.index }, "mediaType"],
  ["no config", { ...manifest, config: undefined }, "config must be an object"],
  [
    "a bad digest",
    { ...manifest, layers: [descriptor, { ...descriptor, digest: "sha256:0" }] },
    "layers[1].digest",
  ],
  ["a negative size", { ...manifest, layers: [{ ...descriptor, size: -1 }] }, "layers[0].size"],
  ["a fractional size", { ...manifest, layers: [{ ...descriptor, size: 1.5 }] }, "layers[0].size"],
  ["too many layers", { ...manifest, layers: Array(501).fill(descriptor) }, "500"],
  ["layers that are not a list", { ...manifest, layers: { length: 1 } }, "layers must be a list"],
])("a manifest with %s is refused, naming the place", (_, value, place) => {
  const error = fault(() => parseManifest(encodeDocument(value)));
  expect(error.code).toBe("invalid");
  expect(error.message).toContain(place);
});

test("documents of strangers: depth, size, encoding and syntax", () => {
  const bytes = (text: string) => new TextEncoder().encode(text);
  expect(fault(() => parseManifest(bytes("[".repeat(1e6)))).message).toContain("nested deeper");
  expect(fault(() => parseManifest(new Uint8Array((4 << 20) + 1))).code).toBe("exhausted");
  expect(fault(() => parseManifest(new Uint8Array([0x7b, 0xff, 0x7d]))).message).toContain("UTF-8");
  expect(fault(() => parseManifest(bytes('{"a":'))).message).toContain("not JSON");
  expect(fault(() => parseManifest(bytes("null"))).message).toContain("must be an object");
  const brackets = `{"schemaVersion":2,"x":"${"[{".repeat(100)}\\"${"[".repeat(100)}"}`;
  expect(fault(() => parseManifest(bytes(brackets))).message).toContain("config");
});

test("an index with layers is refused; the nearest platform is selected", () => {
  expect(
    fault(() => parseIndex(encodeDocument({ schemaVersion: 2, manifests: [], layers: [] })))
      .message,
  ).toContain("layers");
  const entry = (name: string, platform?: object, annotations?: object) => ({
    mediaType: mediaTypes.manifest,
    digest: sha256(name),
    size: 1,
    ...defined({ platform, annotations }),
  });
  const index = parseIndex(
    encodeDocument({
      schemaVersion: 2,
      manifests: [
        entry(
          "attest",
          { os: "unknown", architecture: "unknown" },
          { "vnd.docker.reference.type": "attestation-manifest" },
        ),
        entry("any"),
        entry("v6", { os: "linux", architecture: "arm", variant: "v6" }),
        entry("v7", { os: "linux", architecture: "arm", variant: "v7" }),
        entry("amd", { os: "linux", architecture: "amd64" }),
        entry("arm64", { os: "linux", architecture: "arm64", variant: "v8" }),
      ],
    }),
  );
  const pick = (text: string) => selectManifest(index, parsePlatform(text)).digest;
  expect(pick("linux/amd64")).toBe(sha256("amd"));
  expect(pick("linux/x86_64")).toBe(sha256("amd"));
  expect(pick("linux/aarch64")).toBe(sha256("arm64"));
  expect(pick("linux/arm/v7")).toBe(sha256("v7"));
  expect(pick("linux/arm/v8")).toBe(sha256("v7"));
  expect(pick("linux/arm/v6")).toBe(sha256("v6"));
  expect(pick("linux/s390x")).toBe(sha256("any"));
  const strict = { ...index, manifests: index.manifests.filter((each) => each.platform) };
  const none = fault(() => selectManifest(strict, parsePlatform("linux/s390x")));
  expect(none.code).toBe("not_found");
  expect(none.message).toContain("linux/arm/v6, linux/arm/v7, linux/amd64");
});

test("platforms fill up from the host and refuse nonsense", () => {
  expect(parsePlatform("linux")).toEqual(hostPlatform());
  expect(parsePlatform("arm64")).toEqual({ os: "linux", architecture: "arm64" });
  for (const text of ["", "a/b/c/d", "linux/", "linux/../x", "plan9"]) {
    expect(fault(() => parsePlatform(text)).code).toBe("invalid");
  }
});

test("a configuration as Docker writes it: nulls absent, unknown kept, strange keys harmless", () => {
  const text = `{"architecture":"amd64","os":"linux","docker_version":"x","config":{"Hostname":"","Env":null,"Cmd":["/bin/sh"],"Entrypoint":null,"Labels":{"__proto__":"evil","constructor":"c"},"Volumes":{"/v":{}}},"rootfs":{"type":"layers","diff_ids":["${digest}"]},"history":[{"created_by":"x"},{"empty_layer":true}]}`;
  const config = parseImageConfig(new TextEncoder().encode(text));
  expect(config.config?.Env).toBeUndefined();
  expect(config.config?.Cmd).toEqual(["/bin/sh"]);
  expect(Object.entries(config.config?.Labels ?? {})).toEqual([
    ["__proto__", "evil"],
    ["constructor", "c"],
  ]);
  expect(({} as Record<string, unknown>).evil).toBeUndefined();
  expect(config.rootfs.diff_ids as readonly Digest[]).toEqual([digest]);
  expect((config as unknown as Record<string, unknown>).docker_version).toBe("x");
});

test.each([
  [{ rootfs: { type: "overlay" } }, "rootfs.type"],
  [{ rootfs: { type: "layers", diff_ids: ["x"] } }, "rootfs.diff_ids[0]"],
  [{ rootfs: { type: "layers", diff_ids: [] }, history: [{}] }, "history"],
  [{ rootfs: { type: "layers" }, config: { Env: "A=B" } }, "config.Env"],
  [{ rootfs: { type: "layers" }, config: { Labels: { a: 1 } } }, 'config.Labels["a"]'],
  [{ rootfs: { type: "layers" }, config: { Cmd: [1] } }, "config.Cmd[0]"],
])("configuration %j is refused at %s", (value, place) => {
  expect(fault(() => parseImageConfig(encodeDocument(value))).message).toContain(place);
});

test("an artifact: its subject, its type and the empty configuration are read", () => {
  const subject = { mediaType: mediaTypes.manifest, digest: sha256("s"), size: 7 };
  const parsed = parseManifest(
    encodeDocument({
      ...manifest,
      artifactType: "application/vnd.example",
      config: { mediaType: mediaTypes.empty, digest: sha256("{}"), size: 2, data: "e30=" },
      subject,
    }),
  );
  expect(parsed.artifactType).toBe("application/vnd.example");
  expect(parsed.subject).toEqual(subject);
  expect(
    fault(() => parseManifest(encodeDocument({ ...manifest, subject: {} }))).message,
  ).toContain("subject.digest");
});

test("the addresses of a foreign layer are read, and must be a short list of texts", () => {
  const foreign = (urls: unknown) =>
    parseManifest(encodeDocument({ ...manifest, layers: [{ ...descriptor, urls }] }));
  expect(foreign(["https://example.org/x"]).layers[0]?.urls).toEqual(["https://example.org/x"]);
  expect(foreign(null).layers[0]?.urls).toBeUndefined();
  expect(fault(() => foreign("https://example.org")).message).toContain("layers[0].urls");
  expect(fault(() => foreign(Array(21).fill("x"))).message).toContain("layers[0].urls");
});

test("an architecture named as what every object has is only an unknown one", () => {
  expect(fault(() => parsePlatform("constructor")).code).toBe("invalid");
  expect(parsePlatform("linux/constructor").architecture).toBe("constructor");
});

test("attestations are told from images", () => {
  const entry = { mediaType: mediaTypes.manifest, digest, size: 1 };
  expect(isAttestation(entry)).toBe(false);
  expect(isAttestation({ ...entry, platform: { os: "unknown", architecture: "unknown" } })).toBe(
    true,
  );
});
