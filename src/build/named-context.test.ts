import { expect, test } from "bun:test";
import { fullReference } from "./named-context.ts";

test("an image's name gets its registry and tag, and an image's id stays as it is", () => {
  const id = `sha256:${"7f".repeat(32)}`;
  expect(fullReference(id)).toBe(id);
  expect(fullReference("debian")).toBe("docker.io/library/debian:latest");
  expect(fullReference("sha256:12")).toBe("docker.io/library/sha256:12");
});
