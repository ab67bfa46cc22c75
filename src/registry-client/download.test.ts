import { expect, test } from "bun:test";
import { type Digest, parseReference, sha256 } from "#image";
import {
  appOf,
  bytesOf,
  faultOf,
  manyTurns,
  quickClient,
  quickRetries,
  readAll,
} from "../../test/support/registry-client.ts";
import { FakeRegistry, type Hook } from "../../test/support/registry-fake.ts";

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
  expect(await readAll(appOf(registry).blob(blob))).toEqual(bytes);
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
  expect(await readAll(appOf(registry).blob(blob))).toEqual(bytes);
});

test.each([
  ["bytes 99999-299999/300000", "another range than was asked for"],
  ["bytes 100000-299998/300000", "another range than was asked for"],
  ["", "another range than was asked for"],
])("a part that says %p of itself is not taken for the rest", async (range, words) => {
  const drop = dropping(100_000, 1);
  await using registry = await FakeRegistry.start({
    hook: (request, self) => {
      const answer = drop(request, self);
      if (answer) return answer;
      const bytes = self.blobs.get(request.path.split("/").at(-1) ?? "");
      const headers = { "Content-Range": range };
      return bytes && { status: 206, headers, body: bytes.subarray(100_000) };
    },
  });
  const blob = registry.addBlob("app", bytesOf(300_000)) as { digest: Digest; size: number };
  const fault = await faultOf(readAll(appOf(registry).blob(blob)));
  expect(fault).toMatchObject({ code: "invalid", message: expect.stringContaining(words) });
});

test("without progress a download ends after its tries", async () => {
  await using registry = await FakeRegistry.start({ hook: dropping(10, 1000) });
  const blob = registry.addBlob("app", bytesOf(300_000)) as { digest: Digest; size: number };
  const fault = await faultOf(readAll(appOf(registry).blob(blob)));
  expect(fault.code).toBe("unavailable");
  expect(fault.message).toContain("bytes missing");
  expect(registry.requests.length).toBe(quickRetries.attempts);
});

test("a registry that hangs is given up: before it answers, and in the middle", async () => {
  const patient = { connect: 30_000, response: 30_000, stall: 30_000 };
  await using registry = await FakeRegistry.start({ hook: () => "taken" });
  const app = (timeouts: typeof patient) =>
    appOf(registry, { timeouts, retries: { ...quickRetries, attempts: 2 } });
  const silent = await faultOf(app({ ...patient, response: 40 }).resolve("v1"));
  expect(silent.code).toBe("timeout");
  expect(silent.message).toContain("does not answer");
  registry.hook = ({ socket }) => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nabc");
    return "taken";
  };
  const blob = app({ ...patient, stall: 40 }).blob({ digest: sha256("x"), size: 1000 });
  const stuck = await faultOf(readAll(blob));
  expect(stuck.code).toBe("timeout");
  expect(stuck.message).toContain("sends no more data");
});

test("a registry that drips is given up, as one that hangs", async () => {
  await using registry = await FakeRegistry.start({
    hook: ({ path, socket }) => {
      if (!path.includes("/blobs/")) return undefined;
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const timer = setInterval(() => socket.write("x"), 5);
      socket.on("close", () => clearInterval(timer));
      return "taken";
    },
  });
  const blob = registry.addBlob("app", bytesOf(300_000)) as { digest: Digest; size: number };
  const timeouts = { connect: 30_000, response: 30_000, stall: 100 };
  const fault = await faultOf(readAll(appOf(registry, { timeouts }).blob(blob)));
  expect(fault.code).toBe("timeout");
  expect(fault.message).toBe(
    `cannot fetch blob ${blob.digest}: ${registry.host} sends no more data (waited 0.1 s)`,
  );
});

test("a download is cancelled while it waits", async () => {
  await using registry = await FakeRegistry.start({ hook: () => "taken" });
  const abort = new AbortController();
  registry.hook = () => {
    abort.abort();
    return "taken";
  };
  const blob = appOf(registry).blob({ digest: sha256("x"), size: 5 }, { signal: abort.signal });
  expect((await faultOf(readAll(blob))).code).toBe("canceled");
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
  const repository = appOf(registry);
  expect((await readAll(repository.blob(blob))).toString()).toBe("abcde");
  expect((await readAll(repository.blob(blob))).toString()).toBe("abcde");
});

test("a slow reader slows the registry: few bytes wait between them", async () => {
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
  for await (const chunk of appOf(registry).blob({ digest: sha256("big"), size })) {
    expect(chunk.byteLength).toBeLessThanOrEqual(1 << 20);
    read += chunk.byteLength;
    await manyTurns(300);
    expect(accepted - read).toBeLessThan(24 << 20);
    if (read > 8 << 20) break;
  }
});

test("a foreign layer comes from its address when the registry does not have it", async () => {
  await using elsewhere = await FakeRegistry.start({
    hook: ({ path, headers }) => ({
      status: path === "/layer" && !headers.has("authorization") ? 200 : 404,
      body: "hello",
    }),
  });
  await using registry = await FakeRegistry.start();
  const urls = ["file:///etc/passwd", `http://${elsewhere.host}/layer`];
  const layer = { digest: sha256("hello"), size: 5, urls };
  expect((await readAll(appOf(registry).blob(layer))).toString()).toBe("hello");
  expect(registry.requests.length).toBe(1);
});

test("a foreign address at the registry itself is asked without a login", async () => {
  const seen: [path: string, authorization: string | undefined][] = [];
  await using registry = await FakeRegistry.start({
    hook: ({ path, headers }) => {
      seen.push([path, headers.get("authorization")]);
      const isLoggedIn = headers.has("authorization");
      const challenge = { "WWW-Authenticate": 'Basic realm="x"' };
      return isLoggedIn && path !== "/admin"
        ? { status: 404 }
        : { status: 401, headers: challenge };
    },
  });
  const layer = { digest: sha256("hello"), size: 5, urls: [`http://${registry.host}/admin`] };
  const client = quickClient({ credentials: async () => ({ username: "u", password: "p" }) });
  const repository = client.repository(parseReference(`${registry.host}/app`));
  expect((await faultOf(readAll(repository.blob(layer)))).code).toBe("unauthenticated");
  expect(seen.filter(([path]) => path === "/admin")).toEqual([["/admin", undefined]]);
  expect(seen.some(([path, sent]) => path !== "/admin" && sent !== undefined)).toBe(true);
});
