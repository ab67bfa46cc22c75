import { expect, test } from "bun:test";
import { compareApiVersions } from "./api-version.ts";

test("versions are compared part by part as numbers", () => {
  expect(compareApiVersions("1.9", "1.10")).toBeLessThan(0);
  expect(compareApiVersions("1.51", "1.51")).toBe(0);
  expect(compareApiVersions("1", "1.0")).toBe(0);
  expect(compareApiVersions("2", "1.99")).toBeGreaterThan(0);
});
