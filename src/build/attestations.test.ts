import { expect, test } from "bun:test";
import { annotationsAt, readAnnotations } from "./annotations.ts";
import { readAttestations } from "./attestations.ts";
import { checkOutputs } from "./output-check.ts";

const read = (given: Record<string, string>) => readAttestations(Object.entries(given));

test("attestations are read in BuildKit's words", () => {
  expect(read({ sbom: "type=sbom,disabled=false", provenance: "mode=max,builder-id=b" })).toEqual({
    sbom: true,
    provenance: { mode: "max", builderId: "b", isReproducible: false },
  });
  expect(read({ provenance: "type=provenance,reproducible=true" })).toEqual({
    provenance: { mode: "min", isReproducible: true },
  });
  expect(read({ sbom: "disabled=true", provenance: "mode=min,inline-only=true" })).toEqual({});
});

test.each([
  [{ vex: "" }, 'unknown attestation type "vex"'],
  [{ provenance: "mode=all" }, 'invalid mode "all"'],
  [{ provenance: "version=v0.2" }, "provenance of the version v0.2 is not supported"],
  [{ sbom: "generator=a/b" }, "the option generator of --sbom is not supported"],
])("%j is refused", (given, message) => {
  expect(() => read(given as unknown as Record<string, string>)).toThrow(message);
});

test("annotations are those of a level, and of a platform where they name one", () => {
  const annotations = readAnnotations([
    ["annotation.a", "1"],
    ["annotation-manifest[linux/arm64].a", "2"],
    ["annotation-index.b", "3"],
    ["name", "x"],
  ]);
  const amd64 = { os: "linux", architecture: "amd64" };
  expect(annotationsAt(annotations, "manifest", amd64)).toEqual({ a: "1" });
  const arm64 = { os: "linux", architecture: "arm64" };
  expect(annotationsAt(annotations, "manifest", arm64)).toEqual({ a: "2" });
  expect(annotationsAt(annotations, "index")).toEqual({ b: "3" });
  expect(annotationsAt(annotations, "index-descriptor")).toBeUndefined();
  expect(() => readAnnotations([["annotation-layer.a", "1"]])).toThrow("unknown annotation type");
});

const check = (type: string, attributes: Record<string, string>, platforms = 1, sbom = false) =>
  checkOutputs([{ type, attributes: new Map(Object.entries(attributes)) }], {
    ...{ platforms, attestations: { sbom } },
  });

test("an index goes to registries, OCI archives and directories, and is kept nowhere else", () => {
  for (const [type, attributes] of [
    ["image", { push: "true" }],
    ["oci", {}],
    ["local", {}],
  ] as const)
    expect(() => check(type, attributes, 2)).not.toThrow();
  expect(() => check("moby", {}, 2)).toThrow("an image for several platforms cannot be kept");
  expect(() => check("image", {}, 1, true)).toThrow("an image with attestations cannot be kept");
  expect(() => check("docker", {}, 2)).toThrow("exporting manifest lists");
  const index = { "annotation-index.a": "1" };
  expect(() => check("oci", index)).toThrow("index annotations not supported for single platform");
  expect(() => check("oci", index, 2)).not.toThrow();
});
