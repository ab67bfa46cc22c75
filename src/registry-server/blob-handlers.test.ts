import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "#image";
import { DiskStore } from "./disk-store.ts";
import type { ObjectStore } from "./object-store.ts";
import { MemoryStore, startTestServer, testClient } from "./testing.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const media: readonly [string, () => Promise<ObjectStore>][] = [
  [
    "sent by the kernel",
    async () => {
      const root = mkdtempSync(join(tmpdir(), "thimble-registry-blob-"));
      cleanups.push(() => rmSync(root, { recursive: true }));
      return await DiskStore.open(root);
    },
  ],
  ["streamed", async () => new MemoryStore()],
];

for (const [name, open] of media) {
  describe(`a blob, ${name}`, () => {
    const bytes = Buffer.alloc(1_200_000, "0123456789");
    const digest = sha256(bytes);
    const path = `/v2/a/b/blobs/${digest}`;

    async function served() {
      const server = await startTestServer({ store: await open() });
      cleanups.push(() => server.close({ seconds: 0 }));
      const client = testClient(server.url);
      expect((await client.pushBlob("a/b", bytes)).status).toBe(201);
      const get = (headers: Record<string, string> = {}) => client.call("GET", path, { headers });
      return { client, get };
    }

    test("is whole, with its type and digest", async () => {
      const { client, get } = await served();
      const whole = await get();
      expect(whole.status).toBe(200);
      expect(Buffer.from(await whole.arrayBuffer()).equals(bytes)).toBe(true);
      const head = await client.call("HEAD", path);
      expect(head.status).toBe(200);
      expect(head.headers.get("content-length")).toBe(String(bytes.length));
      for (const { headers } of [whole, head]) {
        expect(headers.get("docker-content-digest")).toBe(digest);
        expect(headers.get("etag")).toBe(`"${digest}"`);
        expect(headers.get("accept-ranges")).toBe("bytes");
        expect(headers.get("content-type")).toBe("application/octet-stream");
        expect(headers.get("docker-distribution-api-version")).toBe("registry/2.0");
      }
    });

    test("is sent in part", async () => {
      const { get } = await served();
      const size = bytes.length;
      const cases: readonly [string, number, number][] = [
        ["bytes=0-0", 0, 1],
        ["bytes=5-1000004", 5, 1_000_005],
        [`bytes=${size - 10}-`, size - 10, size],
        ["bytes=-7", size - 7, size],
        ["bytes=-99999999", 0, size],
        [`bytes=10-${size + 5}`, 10, size],
      ];
      for (const [range, start, end] of cases) {
        const part = await get({ range });
        expect(part.status).toBe(206);
        expect(part.headers.get("content-range")).toBe(`bytes ${start}-${end - 1}/${size}`);
        expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(start, end))).toBe(true);
      }
    });

    test("is whole where a range may be ignored, and refused where there is nothing", async () => {
      const { client, get } = await served();
      const old = { range: "bytes=0-1", "if-range": '"sha256:other"' };
      for (const headers of [{ range: "bytes=0-1,4-5" }, { range: "lines=0-1" }, old]) {
        const whole = await get(headers);
        expect(whole.status).toBe(200);
        expect((await whole.arrayBuffer()).byteLength).toBe(bytes.length);
      }
      expect((await get({ range: "bytes=0-1", "if-range": `"${digest}"` })).status).toBe(206);
      for (const range of [`bytes=${bytes.length}-`, "bytes=-0", "bytes=9-1"]) {
        const none = await get({ range });
        expect(none.status).toBe(416);
        expect(none.headers.get("content-range")).toBe(`bytes */${bytes.length}`);
        await none.arrayBuffer();
      }
      expect((await client.call("HEAD", path, { headers: { range: "bytes=0-1" } })).status).toBe(
        200,
      );
    });

    test("is not sent to a client that has it", async () => {
      const { get } = await served();
      for (const tag of [`"${digest}"`, digest, `"x", W/"${digest}"`, "*"]) {
        const same = await get({ "if-none-match": tag });
        expect(same.status).toBe(304);
        expect(await same.text()).toBe("");
      }
      expect((await get({ "if-none-match": '"sha256:other"' })).status).toBe(200);
    });

    test("may be empty", async () => {
      const { client } = await served();
      const empty = sha256("");
      await client.pushBlob("a/b", Buffer.alloc(0));
      const got = await client.call("GET", `/v2/a/b/blobs/${empty}`);
      expect([got.status, await got.text()]).toEqual([200, ""]);
      const range = await client.call("GET", `/v2/a/b/blobs/${empty}`, {
        headers: { range: "bytes=0-" },
      });
      expect(range.status).toBe(416);
    });

    test("belongs to its repository, until it is deleted there", async () => {
      const { client } = await served();
      const elsewhere = await client.call("GET", `/v2/a/blobs/${digest}`);
      expect([elsewhere.status, await client.errorCodes(elsewhere)]).toEqual([
        404,
        ["BLOB_UNKNOWN"],
      ]);
      expect((await client.call("DELETE", path)).status).toBe(202);
      expect((await client.call("DELETE", path)).status).toBe(404);
      expect((await client.call("HEAD", path)).status).toBe(404);
    });

    test("must be named as digests and repositories are", async () => {
      const { client } = await served();
      const answer = async (where: string) => {
        const response = await client.call("GET", where);
        return [response.status, ...(await client.errorCodes(response))];
      };
      expect(await answer("/v2/a/b/blobs/sha256:12")).toEqual([400, "DIGEST_INVALID"]);
      expect(await answer(`/v2/a/b/blobs/md5:${"0".repeat(32)}`)).toEqual([400, "DIGEST_INVALID"]);
      expect(await answer(`/v2/A/blobs/${digest}`)).toEqual([400, "NAME_INVALID"]);
      expect(await answer(`/v2/..%2f..%2fetc/blobs/${digest}`)).toEqual([400, "NAME_INVALID"]);
      expect(await answer(`/v2/_uploads/blobs/${digest}`)).toEqual([400, "NAME_INVALID"]);
      expect(await answer(`/v2/${"a".repeat(256)}/blobs/${digest}`)).toEqual([400, "NAME_INVALID"]);
      expect(await answer("/v2/a/%ff/blobs/x")).toEqual([404, "UNSUPPORTED"]);
      expect((await client.call("GET", path.replace("sha256:", "sha256%3A"))).status).toBe(200);
    });
  });
}
