import { describe, expect, test } from "bun:test";
import { refuseForeignPage } from "./foreign-page.ts";

const plain = { kind: "tcp", trust: "plain" } as const;
const refuse =
  (headers: Record<string, string>, listener: Parameters<typeof refuseForeignPage>[1]) => () =>
    refuseForeignPage({ headers }, listener);

describe("a request over TCP", () => {
  test.each(["127.0.0.1:2375", "[::1]:2375", "localhost:2375", "engine.localhost"])(
    "to %s passes",
    (host) => expect(refuse({ host }, plain)).not.toThrow(),
  );

  test("to a stranger's name that leads here is refused", () => {
    expect(refuse({ host: "evil.example:2375" }, plain)).toThrow("evil.example:2375");
    expect(refuse({}, plain)).not.toThrow();
  });

  test("to any name passes where a certificate is for the engine's names only", () => {
    const encrypted = { kind: "tcp", trust: "encrypted" } as const;
    expect(refuse({ host: "engine.example:2376" }, encrypted)).not.toThrow();
  });

  test.each([
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
  ])("from another origin is refused: %p", (headers) => {
    const host = "localhost:2375";
    expect(refuse({ host, ...headers }, plain)).toThrow("pages of other sites");
    const verified = { kind: "tcp", trust: "certificate" } as const;
    expect(refuse({ host, ...headers }, verified)).toThrow("pages of other sites");
    expect(refuse({ host, ...headers }, { kind: "unix", trust: "socket" })).not.toThrow();
  });

  test("from its own origin passes", () => {
    const host = "localhost:2375";
    expect(refuse({ host, origin: `http://${host}` }, plain)).not.toThrow();
    expect(refuse({ host, "sec-fetch-site": "same-origin" }, plain)).not.toThrow();
  });
});
