import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "#image";
import { mountAll } from "#kernel";
import { openDiskStore, serveRegistry } from "#registry-server";
import { testClient, testImage } from "../../src/registry-server/testing.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A registry on a disk of 4 MiB, and something to fill the rest of it with. */
async function served() {
  const root = mkdtempSync(join(tmpdir(), "thimble-registry-full-"));
  cleanups.push(() => rmdirSync(root));
  const mounted = await mountAll([{ type: "tmpfs", source: "tmpfs", options: ["size=4m"] }], root);
  cleanups.push(async () => await mounted[Symbol.asyncDispose]());
  const store = await openDiskStore(root);
  const server = await serveRegistry({ address: { host: "127.0.0.1", port: 0 }, store });
  cleanups.push(() => server.close({ seconds: 0 }));
  const ballast = join(root, "ballast");
  const fill = (left: number) => {
    const { bavail, bsize } = statfsSync(root);
    writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - left)));
  };
  const files = () => {
    const found = readdirSync(root, { recursive: true, withFileTypes: true });
    return found.filter((entry) => entry.isFile() && entry.name !== "ballast").map((e) => e.name);
  };
  return { server, client: testClient(server.url), fill, free: () => rmSync(ballast), files };
}

test("a blob that has no room is refused, and goes on where it ended once there is some", async () => {
  const { client, fill, free } = await served();
  const bytes = Buffer.alloc(1 << 20, "some bytes ");
  const begun = await client.call("POST", "/v2/r/blobs/uploads/");
  const where = begun.headers.get("location") ?? "";
  fill(300_000);
  const full = await client.call("PATCH", where, { body: new Uint8Array(bytes) });
  expect([full.status, await client.errorCodes(full)]).toEqual([507, ["UNKNOWN"]]);
  free();
  const range = (await client.call("GET", where)).headers.get("range") ?? "";
  const arrived = Number(range.slice(2)) + 1;
  expect(arrived).toBeLessThan(bytes.length);
  const put = await client.call("PUT", `${where}?digest=${sha256(bytes)}`, {
    body: new Uint8Array(bytes.subarray(arrived)),
  });
  expect(put.status).toBe(201);
  const got = await client.call("GET", `/v2/r/blobs/${sha256(bytes)}`);
  expect(sha256(new Uint8Array(await got.arrayBuffer()))).toBe(sha256(bytes));
});

test("at whatever point of a push the disk is full, nothing is half there", async () => {
  const { client, server, fill, free, files } = await served();
  const refused: number[] = [];
  for (let left = 0; left <= 90_000; left += 4096) {
    const image = testImage([`layer ${left} `.repeat(2000)]);
    fill(left);
    const status = await client.push("r", "v", image);
    const got = await client.call("GET", "/v2/r/manifests/v");
    free();
    if (status === 201) expect(got.headers.get("docker-content-digest")).toBe(image.digest);
    else refused.push(status);
    if (got.status === 200) {
      const { layers } = JSON.parse(await got.text()) as { layers: { digest: string }[] };
      for (const { digest } of layers) {
        const blob = await client.call("GET", `/v2/r/blobs/${digest}`);
        expect(sha256(new Uint8Array(await blob.arrayBuffer()))).toBe(digest as never);
      }
    }
    await client.call("DELETE", `/v2/r/manifests/${image.digest}`);
    await server.collect({ graceSeconds: 0, uploadSeconds: 0 });
    expect(files()).toEqual([]);
  }
  expect(refused.length).toBeGreaterThan(3);
  expect(refused.length).toBeLessThan(20);
});
