import { expect, test } from "bun:test";
import {
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  withDefaultTag,
} from "./index.ts";

const hex = "a".repeat(64);

test.each([
  ["debian", "docker.io/library/debian", "debian"],
  ["debian:12", "docker.io/library/debian:12", "debian:12"],
  ["library/debian", "docker.io/library/debian", "debian"],
  ["docker.io/debian", "docker.io/library/debian", "debian"],
  ["index.docker.io/library/debian:x", "docker.io/library/debian:x", "debian:x"],
  ["user/app", "docker.io/user/app", "user/app"],
  ["localhost/app", "localhost/app", "localhost/app"],
  ["localhost:5000/app:1", "localhost:5000/app:1", "localhost:5000/app:1"],
  ["example.org/a/b/c", "example.org/a/b/c", "example.org/a/b/c"],
  ["example.org:80/a", "example.org:80/a", "example.org:80/a"],
  ["[::1]:5000/a:b", "[::1]:5000/a:b", "[::1]:5000/a:b"],
  ["a/b/c", "docker.io/a/b/c", "a/b/c"],
  ["a__b--c.d_e", "docker.io/library/a__b--c.d_e", "a__b--c.d_e"],
  ["EXAMPLE/app", "EXAMPLE/app", "EXAMPLE/app"],
  [`debian@sha256:${hex}`, `docker.io/library/debian@sha256:${hex}`, `debian@sha256:${hex}`],
  [`d:t@sha256:${hex}`, `docker.io/library/d:t@sha256:${hex}`, `d:t@sha256:${hex}`],
])("%s is %s", (text, canonical, familiar) => {
  const reference = parseReference(text);
  expect(canonicalString(reference)).toBe(canonical);
  expect(familiarString(reference)).toBe(familiar);
  expect(parseReference(canonical)).toEqual(reference);
});

test.each([
  "",
  ":tag",
  "a:",
  "a:-x",
  "-a",
  "a--",
  "a..b",
  "a___b",
  "/a",
  "a/",
  "a//b",
  "a b",
  "a@",
  "a@sha256:12",
  `a@md5:${hex}`,
  "Debian",
  "docker.io/Debian",
  "ex_ample.org/app",
  "../../etc/passwd",
  "a/../b",
  "a\nb",
  "é",
  "a".repeat(300),
  `a:${"t".repeat(129)}`,
  `${"a/".repeat(5000)}b`,
])("%p is refused in Docker's words", (text) => {
  expect(() => parseReference(text)).toThrow(/invalid reference format/);
});

test("an image's id is not a name", () => {
  expect(() => parseReference(hex)).toThrow(
    `invalid repository name (${hex}), cannot specify 64-byte hexadecimal strings`,
  );
});

test("an upper-case repository says what is wrong", () => {
  expect(() => parseReference("Foo")).toThrow("repository name (library/Foo) must be lowercase");
});

test("the default tag fills only a reference without tag and digest", () => {
  expect(withDefaultTag(parseReference("a")).tag).toBe("latest");
  expect(withDefaultTag(parseReference("a:b")).tag).toBe("b");
  expect(withDefaultTag(parseReference(`a@sha256:${hex}`)).tag).toBeUndefined();
  expect(familiarName(parseReference("a:b"))).toBe("a");
});
