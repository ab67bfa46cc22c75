import { expect, test } from "bun:test";
import { namesToCheck } from "./trust.ts";

const hex = "ab".repeat(32);
const tags = ["registry.example/app:1", "abc:latest"];
const digests = [`registry.example/app@sha256:${hex}`];
const all = [...tags, ...digests];

test.each([
  ["registry.example/app:1", ["registry.example/app:1"]],
  ["registry.example/app", ["registry.example/app"]],
  [`registry.example/app@sha256:${hex}`, [`registry.example/app@sha256:${hex}`]],
  ["abc", ["abc"]],
  ["ab", all],
  [hex, all],
  // Of the configuration or of a manifest: neither is a tag of a repository "sha256".
  [`sha256:${hex}`, all],
  ["sha256:ab", all],
])("%s is judged under %p", (text, expected) => {
  expect(namesToCheck(text, { tags, digests })).toEqual(expected);
});
