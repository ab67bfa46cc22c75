import { describe, expect, test } from "bun:test";
import { Fault } from "#base";
import { type Descriptor, sha256 } from "#image";
import type { RegistryClient, Repository } from "#registry-client";
import { createUpstream, parseUpstream } from "./registry-upstream.ts";

describe("an upstream in words", () => {
  test.each([
    ["docker.io", { prefix: "", host: "docker.io", isPlain: false }],
    ["https://registry-1.docker.io/", { prefix: "", host: "docker.io", isPlain: false }],
    ["http://127.0.0.1:5000", { prefix: "", host: "127.0.0.1:5000", isPlain: true }],
    ["hub=docker.io", { prefix: "hub", host: "docker.io", isPlain: false }],
    ["a/b=registry.example:5000", { prefix: "a/b", host: "registry.example:5000", isPlain: false }],
  ])("%s", (text, route) => expect(parseUpstream(text)).toEqual(route));

  test.each([
    "",
    "=",
    "hub=",
    "file:///etc",
    "docker.io/library",
    "Prefix=docker.io",
    "a b",
    "x=y=z",
  ])("%p is refused", (text) =>
    expect(() => parseUpstream(text)).toThrow("is not a registry to cache"),
  );
});

const bytes = Buffer.from("{}");
const descriptor: Descriptor = { mediaType: "m", digest: sha256(bytes), size: 2 };

/** A client that notes what it is asked for. */
function fakeClient(asked: string[], answers: Partial<Repository> = {}) {
  const repository = ({ domain, path }: { domain: string; path: string }) => ({
    resolve: async (reference: string) => {
      asked.push(`resolve ${domain}/${path} ${reference}`);
      return descriptor;
    },
    manifest: async (reference: string) => {
      asked.push(`manifest ${domain}/${path} ${reference}`);
      return { descriptor, bytes };
    },
    blobSize: async () => undefined,
    ...answers,
  });
  return { repository } as unknown as RegistryClient;
}

describe("an upstream", () => {
  const routes = [
    { prefix: "", host: "docker.io" },
    { prefix: "local/x", host: "registry.example" },
  ];

  test("asks the registry of the longest prefix, and fetches a manifest again only when it is another", async () => {
    const asked: string[] = [];
    const upstream = createUpstream({ routes, client: fakeClient(asked), tagSeconds: 0 });
    for (let round = 0; round < 2; round++) {
      expect(await upstream.manifest("debian", "12")).toEqual({
        bytes,
        mediaType: "m",
        digest: descriptor.digest,
      });
    }
    await upstream.manifest("local/x/app", "1");
    expect(asked).toEqual([
      "resolve docker.io/library/debian 12",
      `manifest docker.io/library/debian ${descriptor.digest}`,
      "resolve docker.io/library/debian 12",
      "resolve registry.example/app 1",
      `manifest registry.example/app ${descriptor.digest}`,
    ]);
  });

  test("tells a missing object from an upstream that does not answer", async () => {
    const seen: string[] = [];
    const failing = async () => {
      throw new Fault("unavailable", "down");
    };
    const upstream = createUpstream({
      routes: [{ prefix: "only", host: "registry.example" }],
      client: fakeClient([], { resolve: failing }),
      tagSeconds: 0,
      watch: (kind, outcome) => seen.push(`${kind} ${outcome}`),
    });
    const code = async (work: Promise<unknown>) =>
      await work.then(
        () => "none",
        (error: Fault) => error.code,
      );
    expect(await code(upstream.manifest("elsewhere/app", "1"))).toBe("not_found");
    expect(await code(upstream.manifest("only/app", "1"))).toBe("unavailable");
    expect(await code(upstream.blob("only/app", descriptor.digest))).toBe("not_found");
    expect(seen).toEqual(["manifest missing", "manifest failed", "blob missing"]);
  });
});
