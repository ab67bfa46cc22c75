import { expect, test } from "bun:test";
import type { Socket } from "node:net";
import { type Digest, encodeDocument, mediaTypes, sha256 } from "#image";
import {
  appOf,
  bytesOf,
  emptyManifest,
  faultOf,
  quickClient,
  quickRetries,
  readAll,
} from "../../test/support/registry-client.ts";
import { FakeRegistry, type Hook } from "../../test/support/registry-fake.ts";

test("resolve, manifest and blob, over one connection", async () => {
  await using registry = await FakeRegistry.start();
  const bytes = bytesOf(700_000);
  const blob = registry.addBlob("app", bytes) as { digest: Digest; size: number };
  const digest = registry.addManifest("app", "v1", emptyManifest);
  const repository = appOf(registry);
  const descriptor = await repository.resolve("v1");
  expect(descriptor).toMatchObject({ digest, mediaType: mediaTypes.manifest });
  expect((await repository.manifest("v1")).descriptor).toEqual(descriptor);
  expect((await repository.manifest(digest)).bytes.toString()).toBe(JSON.stringify(emptyManifest));
  expect(await readAll(repository.blob(blob))).toEqual(bytes);
  expect(await readAll(repository.blob(blob, { offset: 699_990 }))).toEqual(
    bytes.subarray(699_990),
  );
  expect(await repository.blobSize(blob.digest)).toBe(700_000);
  expect(await repository.hasBlob(sha256("none"))).toBe(false);
  expect((await faultOf(repository.resolve("v2"))).code).toBe("not_found");
  expect((await faultOf(repository.resolve("../x"))).code).toBe("invalid");
});

test.each<[string, string, string, RegExp]>([
  ["more than it announced for the blob", "Content-Length: 9", "123456789", /5 bytes are expected/],
  ["less", "Content-Length: 3", "123", /5 bytes are expected/],
  ["more without saying so", "Connection: close", "123456789", /5 bytes are expected/],
  ["too little without saying so", "Connection: close", "12", /5 bytes are expected/],
  ["a length that is not a number", "Content-Length: 5x", "12345", /not a number/],
  ["two lengths", "Content-Length: 5\r\nContent-Length: 6", "12345", /not a number/],
  ["a web page", "Content-Type: text/html\r\nContent-Length: 5", "<html", /web page/],
  ["broken chunks", "Transfer-Encoding: chunked", "zz\r\n12345", /broken chunks/],
  ["an unknown transfer encoding", "Transfer-Encoding: br", "12345", /transfer encoding/],
  ["an encoded body", "Content-Encoding: gzip\r\nContent-Length: 5", "12345", /encoded/],
  ["a malformed header", "No colon here", "12345", /not answer in HTTP/],
  ["headers without end", `X: ${"y".repeat(100_000)}`, "12345", /headers of more than/],
  ["too many headers", "X: y\r\n".repeat(300).trim(), "12345", /header fields/],
  ["more headers than are handed on", "X: y\r\n".repeat(5000).trim(), "12345", /header fields/],
  [
    "a length and chunks",
    "Content-Length: 5\r\nTransfer-Encoding: chunked",
    "5",
    /not answer in HTTP/,
  ],
  [
    "trailers without end",
    "Transfer-Encoding: chunked",
    `0\r\n${"X: y\r\n".repeat(50_000)}`,
    /headers of/,
  ],
])("a blob answered with %s is refused", async (_, header, body, expected) => {
  await using registry = await FakeRegistry.start({
    hook: ({ socket }) => {
      socket.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${body}`);
      return "taken";
    },
  });
  const blob = { digest: sha256("x"), size: 5 };
  const fault = await faultOf(readAll(appOf(registry).blob(blob)));
  expect(fault.message).toMatch(expected);
});

test.each([
  ["what is not HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "not answer in HTTP"],
  ["another version", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n", "not answer in HTTP"],
  ["a status that is none", "HTTP/1.1 999 x\r\nContent-Length: 0\r\n\r\n", "not answer in HTTP"],
  ["endless interim answers", "HTTP/1.1 100 Continue\r\n\r\n".repeat(100), "interim"],
  [
    "another protocol",
    "HTTP/1.1 101 x\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    "another protocol",
  ],
])("%s is refused", async (_, answer, words) => {
  await using registry = await FakeRegistry.start({
    hook: ({ socket }) => {
      socket.end(answer);
      return "taken";
    },
  });
  expect((await faultOf(appOf(registry).resolve("a"))).message).toContain(words);
});

test("an answer that was not asked for is not taken for the next one", async () => {
  const sockets = new Set<Socket>();
  await using registry = await FakeRegistry.start({
    hook: ({ socket }) => {
      sockets.add(socket);
      return undefined;
    },
  });
  registry.addManifest("app", "v1", emptyManifest);
  const repository = appOf(registry);
  for (let n = 0; n < 3; n++) await repository.resolve("v1");
  expect(sockets.size).toBe(1);
  for (const socket of sockets) {
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.write("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    await closed;
  }
  expect((await repository.resolve("v1")).size).toBeGreaterThan(0);
  expect(sockets.size).toBe(2);
});

test.each<[string, Hook, string, RegExp]>([
  [
    "another's bytes",
    () => ({ status: 200, body: "{}" }),
    "data_loss",
    /does not match its digest/,
  ],
  [
    "a web page",
    () => ({ status: 200, headers: { "Content-Type": "text/html" }, body: "<html>" }),
    "invalid",
    /web page/,
  ],
  [
    "a web page without saying so",
    () => ({ status: 200, body: "<!DOCTYPE html>" }),
    "invalid",
    /web page/,
  ],
  [
    "more than 4 MiB",
    () => ({ status: 200, headers: { "Content-Length": String(5 << 20) }, body: "{" }),
    "exhausted",
    /more than the limit/,
  ],
])("a manifest by digest answered with %s is refused", async (_, hook, code, expected) => {
  await using registry = await FakeRegistry.start({ hook });
  const fault = await faultOf(appOf(registry).manifest(sha256("wanted")));
  expect(fault.code as string).toBe(code);
  expect(fault.message).toMatch(expected);
});

test.each<[string, string, string, string, RegExp]>([
  [
    "schema 1 by its type",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
    "{}",
    "unsupported",
    /first format/,
  ],
  [
    "schema 1 by its version",
    "application/json",
    '{"schemaVersion":1}',
    "unsupported",
    /first format/,
  ],
  [
    "two media types",
    mediaTypes.index,
    JSON.stringify(emptyManifest),
    "invalid",
    /but the registry says/,
  ],
  ["no JSON", "application/json", "hello", "invalid", /not JSON/],
])("a manifest by tag of %s is refused", async (_, type, body, code, expected) => {
  await using registry = await FakeRegistry.start({
    hook: () => ({ status: 200, headers: { "Content-Type": type }, body }),
  });
  const fault = await faultOf(appOf(registry).manifest("v1"));
  expect(fault.code as string).toBe(code);
  expect(fault.message).toMatch(expected);
});

test("an endless manifest is cut off", async () => {
  await using registry = await FakeRegistry.start({
    hook: async ({ socket }) => {
      socket.write("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
      const block = Buffer.alloc(1 << 20, 0x20);
      for (let i = 0; i < 50 && !socket.destroyed; i++) {
        if (!socket.write(block)) {
          await new Promise<void>((resolve) => {
            socket.once("drain", resolve).once("close", () => resolve());
          });
        }
      }
      return "taken" as const;
    },
  });
  expect((await faultOf(appOf(registry).manifest("v1"))).code).toBe("exhausted");
});

test("passing failures are tried again, also after a Retry-After; others are not", async () => {
  let calls = 0;
  await using registry = await FakeRegistry.start({
    hook: ({ method }) => {
      if (method === "HEAD" && ++calls < 3) {
        return { status: calls === 1 ? 503 : 429, headers: { "Retry-After": "0" } };
      }
      return undefined;
    },
  });
  registry.addManifest("app", "v1", emptyManifest);
  expect((await appOf(registry).resolve("v1")).size).toBeGreaterThan(0);
  expect(calls).toBe(3);
  registry.hook = () => ({
    status: 429,
    headers: { "Retry-After": "3600", "RateLimit-Limit": "100;w=21600" },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\\u001b[31m down"}]}',
  });
  const before = registry.requests.length;
  const fault = await faultOf(appOf(registry).manifest("v1"));
  expect(fault.code).toBe("exhausted");
  expect(fault.message).toContain("TOOMANYREQUESTS: slow [31m down");
  expect(fault.message).toContain("ratelimit-limit: 100;w=21600");
  expect(registry.requests.length).toBe(before + 1);
});

test("tags and the catalogue come page by page; circles and other hosts are refused", async () => {
  await using registry = await FakeRegistry.start({ pageSize: 2 });
  for (const tag of ["a", "b", "c", "d", "e"]) registry.addManifest("app", tag, emptyManifest);
  registry.addManifest("lib/x", "z", emptyManifest);
  const repository = appOf(registry);
  expect(await Array.fromAsync(repository.tags())).toEqual(["a", "b", "c", "d", "e"]);
  const client = quickClient();
  expect(await Array.fromAsync(client.catalog(registry.host))).toEqual(["app", "lib/x"]);
  const found = await client.search(`${registry.host}/lib`);
  expect(found.map(({ name }) => name)).toEqual(["lib/x"]);
  registry.hook = ({ path }) => ({
    status: 200,
    headers: { Link: `<${path}>; rel="next"` },
    body: '{"tags":["a"]}',
  });
  const circle = await faultOf(Array.fromAsync(repository.tags()));
  expect(circle.message).toContain("circles");
  registry.hook = () => ({
    status: 200,
    headers: { Link: '<https://evil.example/v2/>; rel="next"' },
    body: '{"tags":["a"]}',
  });
  expect((await faultOf(Array.fromAsync(repository.tags()))).code).toBe("denied");
  const endless = { status: 200, headers: { Link: "<".repeat(60_000) }, body: '{"tags":["a"]}' };
  registry.hook = () => endless;
  for (let n = 0; n < 10; n++) expect(await Array.fromAsync(repository.tags())).toEqual(["a"]);
});

test.each([true, false])(
  "referrers are attached and listed (registry's own API: %p)",
  async (api) => {
    await using registry = await FakeRegistry.start({ referrers: api });
    const subject = registry.addManifest("app", "v1", emptyManifest) as Digest;
    const repository = appOf(registry);
    const artifact = (name: string) =>
      encodeDocument({
        ...emptyManifest,
        artifactType: `application/${name}`,
        subject: { mediaType: mediaTypes.manifest, digest: subject, size: 1 },
      });
    const attached = ["one", "two"].map((name) =>
      repository.attachReferrer(artifact(name), mediaTypes.manifest),
    );
    const [one, two] = await Promise.all(attached);
    const listed = await repository.referrers(subject);
    expect(listed.map(({ digest }) => digest).toSorted()).toEqual(
      [one, two].toSorted() as Digest[],
    );
    const only = await repository.referrers(subject, { artifactType: "application/two" });
    expect(only.map(({ digest }) => digest)).toEqual([two] as Digest[]);
    if (one) await repository.deleteManifest(one);
    expect((await repository.referrers(subject)).map(({ digest }) => digest)).toEqual([
      two,
    ] as Digest[]);
    expect(await repository.referrers(sha256("none"))).toEqual([]);
    const alone = encodeDocument(emptyManifest);
    expect((await faultOf(repository.attachReferrer(alone, mediaTypes.manifest))).code).toBe(
      "invalid",
    );
  },
);

test("a registry that does not tell by HEAD is asked by GET", async () => {
  await using registry = await FakeRegistry.start({
    hook: ({ method }) => (method === "HEAD" ? { status: 405 } : undefined),
  });
  const digest = registry.addManifest("app", "v1", emptyManifest);
  expect((await appOf(registry).resolve("v1")).digest as string).toBe(digest);
  registry.hook = ({ method }) =>
    method === "HEAD" ? { status: 200, headers: { "Content-Type": "text/plain" } } : undefined;
  expect((await appOf(registry).resolve("v1")).digest as string).toBe(digest);
});

test("a kept connection that the registry has closed is replaced without a word", async () => {
  await using registry = await FakeRegistry.start();
  registry.addManifest("app", "v1", emptyManifest);
  const repository = appOf(registry, { retries: { ...quickRetries, attempts: 1 } });
  await repository.resolve("v1");
  let isFirst = true;
  registry.hook = ({ socket }) => {
    if (!isFirst) return undefined;
    isFirst = false;
    socket.destroy();
    return "taken";
  };
  expect((await repository.resolve("v1")).size).toBeGreaterThan(0);
});

test("a search that the registry has is used; one that is a web page is not", async () => {
  await using registry = await FakeRegistry.start({
    hook: ({ path, query }) =>
      path === "/v1/search"
        ? {
            status: 200,
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify({
              results: [{ name: query.get("q"), star_count: 3, is_official: true }],
            }),
          }
        : undefined,
  });
  registry.addManifest("lib/x", "v1", emptyManifest);
  const [found] = await quickClient().search(`${registry.host}/lib`);
  expect(found).toEqual({
    name: "lib",
    description: "",
    starCount: 3,
    isOfficial: true,
    isAutomated: false,
  });
  registry.hook = ({ path }) =>
    path === "/v1/search"
      ? { status: 200, headers: { "Content-Type": "text/html" }, body: "<html>" }
      : undefined;
  const [listed] = await quickClient().search(`${registry.host}/lib`);
  expect(listed?.name).toBe("lib/x");
});

test("a referrer that another writer has swallowed is listed again", async () => {
  await using registry = await FakeRegistry.start();
  const subject = registry.addManifest("app", "v1", emptyManifest) as Digest;
  let swallowed = false;
  registry.hook = ({ method, path, body }) => {
    const isTag = method === "PUT" && path.includes("/manifests/sha256-");
    if (!isTag || swallowed) return undefined;
    swallowed = true;
    return { status: 201, headers: { "Docker-Content-Digest": sha256(body) } };
  };
  const bytes = encodeDocument({
    ...emptyManifest,
    artifactType: "application/x",
    subject: { mediaType: mediaTypes.manifest, digest: subject, size: 1 },
  });
  const digest = await appOf(registry).attachReferrer(bytes, mediaTypes.manifest);
  expect(swallowed).toBe(true);
  expect((await appOf(registry).referrers(subject)).map((each) => each.digest)).toEqual([digest]);
});
