import { expect, test } from "bun:test";
import { parseReference, sha256 } from "#image";
import {
  appOf,
  bytesOf,
  faultOf,
  manyTurns,
  quickClient,
  quickRetries,
  sourceOf,
} from "../../test/support/registry-client.ts";
import { FakeRegistry } from "../../test/support/registry-fake.ts";

test("an upload: whole, then found there, then mounted next door", async () => {
  await using registry = await FakeRegistry.start();
  const bytes = bytesOf(100_000);
  const blob = { digest: sha256(bytes), size: bytes.length };
  const client = quickClient();
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
  await appOf(registry).putBlob(blob, sourceOf(bytes), { chunkBytes: 1000 });
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
  const bytes = bytesOf(1_000_000);
  const blob = { digest: sha256(bytes), size: bytes.length };
  const starts: number[] = [];
  const source = (offset: number) => {
    starts.push(offset);
    return sourceOf(bytes)(offset);
  };
  expect(await appOf(registry).putBlob(blob, source)).toBe("uploaded");
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
  expect(await appOf(registry).putBlob(blob, sourceOf(bytes))).toBe("uploaded");
  registry.hook = ({ method }) => (method === "PUT" ? { status: 403 } : undefined);
  const other = { digest: sha256("1"), size: 1 };
  const fault = await faultOf(appOf(registry).putBlob(other, sourceOf(Buffer.from("1"))));
  expect(fault.code).toBe("denied");
  expect(registry.uploads.size).toBe(0);
});

test("an upload that is given up while it pauses is taken back", async () => {
  const abort = new AbortController();
  await using registry = await FakeRegistry.start({
    hook: ({ method }) => {
      if (method !== "PUT") return undefined;
      void manyTurns(2000).then(() => abort.abort());
      return { status: 500 };
    },
  });
  const retries = { ...quickRetries, base: 60_000, max: 60_000 };
  const blob = { digest: sha256("x"), size: 1 };
  const put = appOf(registry, { retries }).putBlob(blob, sourceOf(Buffer.from("x")), {
    signal: abort.signal,
  });
  expect((await faultOf(put)).code).toBe("canceled");
  expect(registry.requests.at(-1)).toStartWith("DELETE ");
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
    appOf(registry).putBlob({ digest: sha256("y"), size }, () => endless()),
  );
  expect(fault.code).toBe("denied");
  expect(pulled).toBeLessThan(100 << 20);
});

test("a source that is too short or breaks fails the upload with its own words", async () => {
  await using registry = await FakeRegistry.start();
  const blob = { digest: sha256("zz"), size: 200 };
  const short = await faultOf(appOf(registry).putBlob(blob, sourceOf(bytesOf(100))));
  expect(short.message).toContain("200 bytes were to be sent");
  const broken = async function* () {
    yield bytesOf(10);
    throw new Error("disk is gone");
  };
  const fault = await faultOf(appOf(registry).putBlob(blob, () => broken()));
  expect(fault.message).toContain("disk is gone");
});

test("an upload waits for the registry: its source is not read ahead", async () => {
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
  const put = appOf(registry).putBlob({ digest: sha256("up"), size }, () => source(), {
    signal: abort.signal,
  });
  await paused;
  await manyTurns(2000);
  expect(pulled).toBeLessThan(48 << 20);
  abort.abort();
  expect((await faultOf(put)).code).toBe("canceled");
});
