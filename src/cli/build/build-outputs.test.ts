import { expect, test } from "bun:test";
import { parseOutputs } from "./build-outputs.ts";

const parse = (words: readonly string[], { push = false, load = false } = {}) =>
  parseOutputs(words, { push, load });
const image = { type: "image", attributes: {}, dest: undefined } as const;

test.each([
  [[], [image]],
  [["type=docker"], [image]],
  [["-"], [{ type: "tar", attributes: {}, dest: "-" }]],
  [["/out"], [{ type: "local", attributes: {}, dest: "/out" }]],
  [
    ["type=oci,dest=/a.tar,compression=gzip"],
    [{ type: "oci", attributes: { compression: "gzip" }, dest: "/a.tar" }],
  ],
  [["type=oci"], [{ type: "oci", attributes: {}, dest: "-" }]],
  [["type=registry,name=a/b"], [{ ...image, attributes: { name: "a/b", push: "true" } }]],
] as const)("%j is understood", (words, outputs) => {
  expect(parse(words)).toEqual([...outputs]);
});

test("--push and --load add to the outputs", () => {
  const pushed = { ...image, attributes: { push: "true" } };
  expect(parse([], { push: true })).toEqual([pushed]);
  expect(parse(["type=image,name=a"], { push: true })).toEqual([
    { ...image, attributes: { name: "a", push: "true" } },
  ]);
  expect(parse(["/out"], { load: true }).map(({ type }) => type)).toEqual(["local", "image"]);
});

test.each([
  ["dest=out,a=b", "type is required for output"],
  ["type=zip", "the output type zip is unknown"],
  ["type=local", "dest is required for local exporter"],
  ["type=image,dest=out", "the output type image has no dest"],
  ["type=tar,out", "invalid value out of an output"],
])("%s is refused", (word, message) => {
  expect(() => parse([word])).toThrow(message);
});
