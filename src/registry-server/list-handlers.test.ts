import { afterEach, expect, test } from "bun:test";
import { rejection } from "../base/testing.ts";
import type { RegistryServer } from "./registry-server.ts";
import { startTestServer, testClient, testImage } from "./testing.ts";

const servers: RegistryServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close({ seconds: 0 });
});

async function served(pushed: Readonly<Record<string, readonly string[]>>) {
  const server = await startTestServer();
  servers.push(server);
  const client = testClient(server.url);
  const image = testImage(["one"]);
  for (const [name, tags] of Object.entries(pushed)) {
    for (const blob of image.blobs) await client.pushBlob(name, blob);
    for (const tag of tags) await client.putManifest(name, tag, image);
  }
  const pages = async (path: string, key: string) => {
    const found: string[][] = [];
    for (let next: string | undefined = path; next; ) {
      const response: Response = await client.call("GET", next);
      expect(response.status).toBe(200);
      const body = (await response.json()) as Record<string, string[]>;
      found.push(body[key] ?? []);
      next = /^<([^>]*)>; rel="next"$/.exec(response.headers.get("link") ?? "")?.[1];
    }
    return found;
  };
  return { server, client, image, pages };
}

test("tags in the order of their bytes, in pages", async () => {
  const { pages, client } = await served({ r: ["b", "B", "a", "a.1", "a-1", "10", "9"] });
  const all = ["10", "9", "B", "a", "a-1", "a.1", "b"];
  expect(await pages("/v2/r/tags/list", "tags")).toEqual([all]);
  const threes = [all.slice(0, 3), all.slice(3, 6), all.slice(6)];
  expect(await pages("/v2/r/tags/list?n=3", "tags")).toEqual(threes);
  expect(await pages("/v2/r/tags/list?n=7", "tags")).toEqual([all]);
  expect(await pages("/v2/r/tags/list?n=0", "tags")).toEqual([[]]);
  expect(await pages("/v2/r/tags/list?last=a", "tags")).toEqual([all.slice(4)]);
  expect(await pages("/v2/r/tags/list?last=a,&n=9", "tags")).toEqual([all.slice(4)]);
  for (const n of ["-1", "x", "1.5", "99999999999999"]) {
    const refused = await client.call("GET", `/v2/r/tags/list?n=${n}`);
    expect(refused.status).toBe(400);
    expect(await client.errorCodes(refused)).toEqual(["PAGINATION_NUMBER_INVALID"]);
  }
  expect(await (await client.call("GET", "/v2/r/tags/list?n=1")).json()).toEqual({
    name: "r",
    tags: ["10"],
  });
});

test("tags of a repository without any, and of a missing repository", async () => {
  const { client, pages, image } = await served({ r: ["a"], blobs: [] });
  await client.call("DELETE", "/v2/r/manifests/a");
  expect(await pages("/v2/r/tags/list", "tags")).toEqual([[]]);
  expect(await pages("/v2/blobs/tags/list", "tags")).toEqual([[]]);
  const unknown = await client.call("GET", "/v2/none/tags/list");
  expect([unknown.status, await client.errorCodes(unknown)]).toEqual([404, ["NAME_UNKNOWN"]]);
  expect((await client.call("GET", `/v2/r/manifests/${image.digest}`)).status).toBe(200);
});

test("repositories, parents first, in pages", async () => {
  const names = ["a", "a/b", "a/b/c", "a-b", "a.b/x", "a0", "b/a", "b/c/d"];
  const { pages } = await served(Object.fromEntries(names.map((name) => [name, ["t"]])));
  const all = ["a", "a/b", "a/b/c", "a-b", "a.b/x", "a0", "b/a", "b/c/d"];
  expect(await pages("/v2/_catalog", "repositories")).toEqual([all]);
  for (let n = 1; n < 9; n++) {
    expect((await pages(`/v2/_catalog?n=${n}`, "repositories")).flat()).toEqual(all);
  }
  expect(await pages("/v2/_catalog?last=a/b/", "repositories")).toEqual([all.slice(2)]);
  expect(await pages("/v2/_catalog?last=b/b", "repositories")).toEqual([["b/c/d"]]);
  expect(await pages("/v2/_catalog?last=zz", "repositories")).toEqual([[]]);
  expect(await pages("/v2/_catalog?n=0", "repositories")).toEqual([[]]);
});

test("the same for pages and metrics", async () => {
  const { server, image } = await served({ "x/y": ["1", "2"], z: ["3"] });
  const { catalogue } = server;
  expect(await catalogue.repositories()).toEqual(["x/y", "z"]);
  expect(await catalogue.repositories({ after: "x/y", limit: 5 })).toEqual(["z"]);
  expect(await catalogue.tags("x/y", { limit: 1 })).toEqual(["1"]);
  const manifest = await catalogue.manifest("z", "3");
  expect(manifest).toMatchObject({ digest: image.digest, mediaType: image.mediaType });
  expect(await catalogue.referrers("z", image.digest)).toEqual([]);
  expect(await rejection(catalogue.tags("none"))).toMatchObject({ code: "not_found" });
  expect(await rejection(catalogue.tags("../x"))).toMatchObject({ code: "invalid" });
  expect(await rejection(catalogue.manifest("z", "4"))).toMatchObject({ code: "not_found" });
});
