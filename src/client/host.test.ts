import { describe, expect, test } from "bun:test";
import { formatHost, parseHost, resolveHost } from "./host.ts";

describe("parseHost", () => {
  test.each([
    ["unix:///run/x.sock", "unix:///run/x.sock"],
    ["/run/x.sock", "unix:///run/x.sock"],
    ["tcp://example.org:2375", "tcp://example.org:2375"],
    ["tcp://example.org", "tcp://example.org:2375"],
    ["http://127.0.0.1:80/", "tcp://127.0.0.1:80"],
    ["tcp://[::1]:5000", "tcp://[::1]:5000"],
    ["ssh://me@host.example", "ssh://me@host.example"],
    ["ssh://host:22/run/x.sock", "ssh://host:22/run/x.sock"],
  ])("%s", (text, want) => {
    expect(formatHost(parseHost(text))).toBe(want);
  });

  test.each([
    ["unix://relative", "must be absolute"],
    ["foo://x", "use unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST"],
    ["ssh://-oProxyCommand=x", "use ssh://USER@HOST"],
    ["ssh://-l@host", "use ssh://USER@HOST"],
    ["ssh://host:0", "between 1 and 65535"],
    ["tcp://x:0", "between 1 and 65535"],
    ["tcp://x:70000", "between 1 and 65535"],
    [`/${"x".repeat(107)}`, "at most 107 bytes"],
    ["tcp://a/b", "use unix"],
  ])("%s is refused", (text, why) => {
    expect(() => parseHost(text)).toThrow(why);
  });
});

test("the flag counts before the variables, and empty ones do not count", () => {
  const env = { THIMBLE_HOST: "", DOCKER_HOST: "unix:///d.sock" };
  expect(resolveHost({ flags: { host: "/f.sock" }, env }).source).toBe("flag");
  expect(resolveHost({ env }).source).toBe("DOCKER_HOST");
  expect(resolveHost({ env: { ...env, THIMBLE_HOST: "/t.sock" } }).source).toBe("THIMBLE_HOST");
  const moved = resolveHost({ env: { THIMBLE_RUN_ROOT: "/tmp/r/" } });
  expect(moved).toEqual({ host: { kind: "unix", path: "/tmp/r/thimble.sock" }, source: "default" });
  expect(formatHost(resolveHost({ env: {} }).host)).toBe("unix:///run/thimble/thimble.sock");
});
