import { expect, test } from "bun:test";
import { isFault } from "#base";
import { type Digest, encodeDocument, mediaTypes, parseReference, sha256 } from "#image";
import { FakeRegistry, type Hook } from "../../../test/support/registry-fake.ts";
import { openHostDirectory } from "./hosts.ts";
import { createRegistryClient } from "./open-client.ts";
import type { RegistryClientOptions } from "./registry-client.ts";

const quick = { attempts: 4, base: 1, max: 2, longest: 100 };

function clientOf(options: Partial<RegistryClientOptions> = {}) {
  return createRegistryClient({
    hosts: openHostDirectory({ directories: [] }),
    retries: quick,
    timeouts: { connect: 2000, response: 2000, stall: 2000 },
    ...options,
  });
}

function repositoryOf(registry: FakeRegistry, options: Partial<RegistryClientOptions> = {}) {
  return clientOf(options).repository(parseReference(`${registry.host}/app`));
}

async function read(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Pseudo-random bytes, so that none can be mistaken for others. */
function bytesOf(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0, x = 1; i < size; i++) {
    x = (x * 1103515245 + 12345) & 0x7fffffff;
    bytes[i] = x >> 16;
  }
  return bytes;
}

const sourceOf = (bytes: Uint8Array) =>
  async function* (offset: number) {
    for (let at = offset; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  };

const manifest = {
  schemaVersion: 2,
  mediaType: mediaTypes.manifest,
  config: { mediaType: mediaTypes.config, digest: sha256("{}"), size: 2 },
  layers: [],
};

async function faultOf(work: Promise<unknown>) {
  try {
    await work;
  } catch (error) {
    if (isFault(error)) return error;
    throw error;
  }
  throw new Error("it did not fail");
}

test("resolve, manifest and blob, over one connection", async () => {
  await using registry = await FakeRegistry.start();
  const bytes = bytesOf(700_000);
  const blob = registry.addBlob("app", bytes) as { digest: Digest; size: number };
  const digest = registry.addManifest("app", "v1", manifest);
  const repository = repositoryOf(registry);
  const descriptor = await repository.resolve("v1");
  expect(descriptor).toMatchObject({ digest, mediaType: mediaTypes.manifest });
  expect((await repository.manifest("v1")).descriptor).toEqual(descriptor);
  expect((await repository.manifest(digest)).bytes.toString()).toBe(JSON.stringify(manifest));
  expect(await read(repository.blob(blob))).toEqual(bytes);
  expect(await read(repository.blob(blob, { offset: 699_990 }))).toEqual(bytes.subarray(699_990));
  expect(await repository.blobSize(blob.digest)).toBe(700_000);
  expect(await repository.hasBlob(sha256("none"))).toBe(false);
  expect((await faultOf(repository.resolve("v2"))).code).toBe("not_found");
  expect((await faultOf(repository.resolve("../x"))).code).toBe("invalid");
});

/** Sends a part of a body that was announced whole, then hangs up. */
function dropping(at: number, times: number): Hook {
  let left = times;
  return ({ path, method, headers, socket }, registry) => {
    if (method !== "GET" || !path.includes("/blobs/") || left-- <= 0) return undefined;
    const bytes = registry.blobs.get(path.split("/").at(-1) ?? "") ?? Buffer.alloc(0);
    const start = Number(/^bytes=(\d+)-/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    const head =
      start === 0
        ? `HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}`
        : `HTTP/1.1 206 Part\r\nContent-Length: ${bytes.length - start}\r\nContent-Range: bytes ${start}-${bytes.length - 1}/${bytes.length}`;
    socket.end(Buffer.concat([Buffer.from(`${head}\r\n\r\n`), bytes.subarray(start, start + at)]));
    return "taken";
  };
}

test("a download goes on after drops, from where it was", async () => {
  await using registry = await FakeRegistry.start({ hook: dropping(100_000, 6) });
  const bytes = bytesOf(1_000_000);
  const blob = registry.addBlob("app", bytes) as { digest: Digest; size: number };
  expect(await read(repositoryOf(registry).blob(blob))).toEqual(bytes);
  expect(registry.requests.length).toBe(7);
});

test("a registry that ignores Range sends all again, and gives each byte once", async () => {
  const drop = dropping(100_000, 1);
  await using registry = await FakeRegistry.start({
    hook: (request, self) => {
      const answer = drop(request, self);
      if (answer) return answer;
      const bytes = self.blobs.get(request.path.split("/").at(-1) ?? "");
      return bytes && { status: 200, body: bytes };
    },
  });
  const bytes = bytesOf(300_000);
  const blob = registry.addBlob("app", bytes) as { digest: Digest; size: number };
  expect(await read(repositoryOf(registry).blob(blob))).toEqual(bytes);
});

test("without progress a download ends after its tries", async () => {
  await using registry = await FakeRegistry.start({ hook: dropping(10, 1000) });
  const blob = registry.addBlob("app", bytesOf(300_000)) as { digest: Digest; size: number };
  const fault = await faultOf(read(repositoryOf(registry).blob(blob)));
  expect(fault.code).toBe("unavailable");
  expect(fault.message).toContain("bytes missing");
  expect(registry.requests.length).toBe(quick.attempts);
});

test("a registry that hangs is given up: before it answers, and in the middle", async () => {
  const timeouts = { connect: 1000, response: 40, stall: 40 };
  await using registry = await FakeRegistry.start({ hook: () => "taken" });
  const repository = repositoryOf(registry, { timeouts, retries: { ...quick, attempts: 2 } });
  const silent = await faultOf(repository.resolve("v1"));
  expect(silent.code).toBe("timeout");
  expect(silent.message).toContain("does not answer");
  registry.hook = ({ socket }) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
    return "taken";
  };
  const stuck = await faultOf(read(repository.blob({ digest: sha256("x"), size: 1000 })));
  expect(stuck.code).toBe("timeout");
  expect(stuck.message).toContain("sends no more data");
});

test("a download is cancelled while it waits", async () => {
  await using registry = await FakeRegistry.start({ hook: () => "taken" });
  const abort = new AbortController();
  registry.hook = () => {
    abort.abort();
    return "taken";
  };
  const blob = repositoryOf(registry).blob(
    { digest: sha256("x"), size: 5 },
    { signal: abort.signal },
  );
  expect((await faultOf(read(blob))).code).toBe("canceled");
});

test.each<[string, string, string, RegExp]>([
  ["more than it announced for the blob", "Content-Length: 9", "123456789", /5 bytes are expected/],
  ["less", "Content-Length: 3", "123", /5 bytes are expected/],
  ["more without saying so", "Connection: close", "123456789", /5 bytes are expected/],
  ["too little without saying so", "Connection: close", "12", /5 bytes are expected/],
  ["a length that is no number", "Content-Length: 5x", "12345", /not a number/],
  ["two lengths", "Content-Length: 5\r\nContent-Length: 6", "12345", /not a number/],
  ["a web page", "Content-Type: text/html\r\nContent-Length: 5", "<html", /web page/],
  ["broken chunks", "Transfer-Encoding: chunked", "zz\r\n12345", /broken chunks/],
  ["an unknown transfer encoding", "Transfer-Encoding: br", "12345", /transfer encoding/],
  ["an encoded body", "Content-Encoding: gzip\r\nContent-Length: 5", "12345", /encoded/],
  ["a malformed header", "No colon here", "12345", /no HTTP/],
  ["headers without end", `X: ${"y".repeat(100_000)}`, "12345", /headers of more than/],
  ["too many headers", "X: y\r\n".repeat(300).trim(), "12345", /header fields/],
])("a blob answered with %s is refused", async (_, header, body, expected) => {
  await using registry = await FakeRegistry.start({
    hook: ({ socket }) => {
      socket.end(`HTTP/1.1 200 OK\r\n${header}\r\n\r\n${body}`);
      return "taken";
    },
  });
  const blob = { digest: sha256("x"), size: 5 };
  const fault = await faultOf(read(repositoryOf(registry).blob(blob)));
  expect(fault.message).toMatch(expected);
});

test("chunked bodies of any cut are read", async () => {
  const parts = [
    "HTTP/1.1 200 OK\r\nTransfer-Enc",
    "oding: chunked\r\n\r",
    "\n3;x=y\r",
    "\nabc\r\n",
    "2\r\nde\r\n0\r\nTrailer: x\r\n\r\n",
  ];
  await using registry = await FakeRegistry.start({
    hook: async ({ socket }) => {
      for (const part of parts) {
        await new Promise<void>((resolve) => socket.write(part, () => resolve()));
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      return "taken" as const;
    },
  });
  const blob = { digest: sha256("abcde"), size: 5 };
  const repository = repositoryOf(registry);
  expect((await read(repository.blob(blob))).toString()).toBe("abcde");
  expect((await read(repository.blob(blob))).toString()).toBe("abcde");
});

test("what is no HTTP, and endless interim answers, are refused", async () => {
  await using registry = await FakeRegistry.start({
    hook: ({ socket }) => {
      socket.end("SSH-2.0-OpenSSH\r\n\r\n");
      return "taken";
    },
  });
  const repository = repositoryOf(registry);
  expect((await faultOf(repository.resolve("a"))).message).toContain("no HTTP");
  registry.hook = ({ socket }) => {
    socket.end("HTTP/1.1 100 Continue\r\n\r\n".repeat(100));
    return "taken";
  };
  expect((await faultOf(repository.resolve("a"))).message).toContain("interim");
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
  const fault = await faultOf(repositoryOf(registry).manifest(sha256("wanted")));
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
    JSON.stringify(manifest),
    "invalid",
    /but the registry says/,
  ],
  ["no JSON", "application/json", "hello", "invalid", /not JSON/],
])("a manifest by tag of %s is refused", async (_, type, body, code, expected) => {
  await using registry = await FakeRegistry.start({
    hook: () => ({ status: 200, headers: { "Content-Type": type }, body }),
  });
  const fault = await faultOf(repositoryOf(registry).manifest("v1"));
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
  expect((await faultOf(repositoryOf(registry).manifest("v1"))).code).toBe("exhausted");
});

test("what passes is tried again, also when asked to wait; what does not is not", async () => {
  let calls = 0;
  await using registry = await FakeRegistry.start({
    hook: ({ method }) => {
      if (method === "HEAD" && ++calls < 3) {
        return { status: calls === 1 ? 503 : 429, headers: { "Retry-After": "0" } };
      }
      return undefined;
    },
  });
  registry.addManifest("app", "v1", manifest);
  expect((await repositoryOf(registry).resolve("v1")).size).toBeGreaterThan(0);
  expect(calls).toBe(3);
  registry.hook = () => ({
    status: 429,
    headers: { "Retry-After": "3600", "RateLimit-Limit": "100;w=21600" },
    body: '{"errors":[{"code":"TOOMANYREQUESTS","message":"slow\\u001b[31m down"}]}',
  });
  const before = registry.requests.length;
  const fault = await faultOf(repositoryOf(registry).manifest("v1"));
  expect(fault.code).toBe("exhausted");
  expect(fault.message).toContain("TOOMANYREQUESTS: slow [31m down");
  expect(fault.message).toContain("ratelimit-limit: 100;w=21600");
  expect(registry.requests.length).toBe(before + 1);
});

test("an upload: whole, then found there, then mounted next door", async () => {
  await using registry = await FakeRegistry.start();
  const bytes = bytesOf(100_000);
  const blob = { digest: sha256(bytes), size: bytes.length };
  const client = clientOf();
  const [app, next] = ["app", "next"].map((path) =>
    client.repository(parseReference(`${registry.host}/${path}`)),
  );
  const sent: number[] = [];
  const put = app?.putBlob(blob, sourceOf(bytes), { onProgress: (n) => sent.push(n) });
  expect(await put).toBe("uploaded");
  expect(sent.at(-1)).toBe(bytes.length);
  expect(await app?.putBlob(blob, sourceOf(bytes))).toBe("existed");
  expect(await next?.putBlob(blob, sourceOf(bytes), { mountFrom: ["none", "app"] })).toBe(
    "mounted",
  );
  expect(registry.uploads.size).toBe(0);
  const nothing = { digest: sha256(""), size: 0 };
  expect(await app?.putBlob(nothing, sourceOf(Buffer.alloc(0)))).toBe("uploaded");
});

test("an upload in chunks keeps to the registry's least", async () => {
  await using registry = await FakeRegistry.start({ minChunk: 30_000 });
  const bytes = bytesOf(100_000);
  const blob = { digest: sha256(bytes), size: bytes.length };
  await repositoryOf(registry).putBlob(blob, sourceOf(bytes), { chunkBytes: 1000 });
  expect(registry.requests.filter((each) => each.startsWith("PATCH")).length).toBe(4);
  expect(registry.blobs.get(blob.digest)).toEqual(bytes);
});

test("an upload goes on where the registry says it is after a drop", async () => {
  let dropped = false;
  await using registry = await FakeRegistry.start({
    onBody: (received, { method, socket, target }) => {
      if (dropped || method !== "PUT" || received < 60_000) return;
      dropped = true;
      const id = /upload-\d+/.exec(target)?.[0] ?? "";
      registry.uploads.set(id, bytes.subarray(0, 50_000));
      socket.destroy();
    },
  });
  const bytes = bytesOf(8_000_000);
  const blob = { digest: sha256(bytes), size: bytes.length };
  const starts: number[] = [];
  const source = (offset: number) => {
    starts.push(offset);
    return sourceOf(bytes)(offset);
  };
  expect(await repositoryOf(registry).putBlob(blob, source)).toBe("uploaded");
  expect(starts).toEqual([0, 50_000]);
  expect(registry.blobs.get(blob.digest)).toEqual(bytes);
});

test("an upload that the registry has forgotten begins anew; one that fails for good is taken back", async () => {
  let puts = 0;
  await using registry = await FakeRegistry.start({
    hook: ({ method, target }, self) => {
      if (method !== "PUT" || ++puts > 1) return undefined;
      self.uploads.delete(/upload-\d+/.exec(target)?.[0] ?? "");
      return { status: 500 };
    },
  });
  const bytes = bytesOf(1000);
  const blob = { digest: sha256(bytes), size: bytes.length };
  expect(await repositoryOf(registry).putBlob(blob, sourceOf(bytes))).toBe("uploaded");
  registry.hook = ({ method }) => (method === "PUT" ? { status: 403 } : undefined);
  const other = { digest: sha256("1"), size: 1 };
  const fault = await faultOf(repositoryOf(registry).putBlob(other, sourceOf(Buffer.from("1"))));
  expect(fault.code).toBe("denied");
  expect(registry.uploads.size).toBe(0);
});

test("a body that is refused before it is read whole is not sent to its end", async () => {
  const bytes = bytesOf(100_000);
  let pulled = 0;
  let tries = 0;
  await using registry = await FakeRegistry.start({
    onBody: (_, { method, socket }) => {
      if (method !== "PUT" || tries++ > 0) return;
      socket.end("HTTP/1.1 403 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    },
  });
  const size = 1 << 30;
  const endless = async function* () {
    for (; pulled < size; pulled += bytes.length) {
      yield bytes;
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
  };
  const fault = await faultOf(
    repositoryOf(registry).putBlob({ digest: sha256("y"), size }, () => endless()),
  );
  expect(fault.code).toBe("denied");
  expect(pulled).toBeLessThan(100 << 20);
});

test("a source that is too short or breaks fails the upload with its own words", async () => {
  await using registry = await FakeRegistry.start();
  const blob = { digest: sha256("zz"), size: 200 };
  const short = await faultOf(repositoryOf(registry).putBlob(blob, sourceOf(bytesOf(100))));
  expect(short.message).toContain("200 bytes were to be sent");
  const broken = async function* () {
    yield bytesOf(10);
    throw new Error("disk is gone");
  };
  const fault = await faultOf(repositoryOf(registry).putBlob(blob, () => broken()));
  expect(fault.message).toContain("disk is gone");
});

test("tags and the catalogue come page by page; circles and other hosts are refused", async () => {
  await using registry = await FakeRegistry.start({ pageSize: 2 });
  for (const tag of ["a", "b", "c", "d", "e"]) registry.addManifest("app", tag, manifest);
  registry.addManifest("lib/x", "z", manifest);
  const repository = repositoryOf(registry);
  expect(await Array.fromAsync(repository.tags())).toEqual(["a", "b", "c", "d", "e"]);
  const client = clientOf();
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
});

test.each([true, false])(
  "referrers are attached and listed (registry's own API: %p)",
  async (api) => {
    await using registry = await FakeRegistry.start({ referrers: api });
    const subject = registry.addManifest("app", "v1", manifest) as Digest;
    const repository = repositoryOf(registry);
    const artifact = (name: string) =>
      encodeDocument({
        ...manifest,
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
    const alone = encodeDocument(manifest);
    expect((await faultOf(repository.attachReferrer(alone, mediaTypes.manifest))).code).toBe(
      "invalid",
    );
  },
);

test("a slow reader slows the registry: what waits between them stays small", async () => {
  const size = 1 << 30;
  const block = Buffer.alloc(1 << 20);
  let accepted = 0;
  await using registry = await FakeRegistry.start({
    hook: async ({ socket }) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
      while (accepted < size && !socket.destroyed) {
        accepted += block.length;
        if (socket.write(block)) continue;
        await new Promise<void>((resolve) => {
          socket.once("drain", resolve).once("close", () => resolve());
        });
      }
      return "taken" as const;
    },
  });
  let read = 0;
  for await (const chunk of repositoryOf(registry).blob({ digest: sha256("big"), size })) {
    expect(chunk.byteLength).toBeLessThanOrEqual(1 << 20);
    read += chunk.byteLength;
    // Many turns of the loop: enough for a sender that is not held back to send it all.
    for (let turn = 0; turn < 300; turn++) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    expect(accepted - read).toBeLessThan(24 << 20);
    if (read > 8 << 20) break;
  }
});

test("what is uploaded waits for the registry: the source is not read ahead", async () => {
  const size = 1 << 30;
  const block = Buffer.alloc(256 << 10);
  let pulled = 0;
  let stop: (() => void) | undefined;
  const paused = new Promise<void>((resolve) => {
    stop = resolve;
  });
  await using registry = await FakeRegistry.start({
    onBody: (received, { method, socket }) => {
      if (method !== "PUT" || received < 1 << 20) return;
      socket.pause();
      stop?.();
    },
  });
  const source = async function* () {
    for (; pulled < size; pulled += block.length) yield block;
  };
  const abort = new AbortController();
  const put = repositoryOf(registry).putBlob({ digest: sha256("up"), size }, () => source(), {
    signal: abort.signal,
  });
  await paused;
  for (let turn = 0; turn < 2000; turn++) {
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  expect(pulled).toBeLessThan(48 << 20);
  abort.abort();
  expect((await faultOf(put)).code).toBe("canceled");
});
