import { expect, test } from "bun:test";
import { outcome } from "../../base/testing.ts";
import { S3Store } from "./s3-store.ts";

test("where a copy is promised and not made, the original stays", async () => {
  const asked: string[] = [];
  using liar = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch({ method, url }) {
      asked.push(`${method} ${new URL(url).pathname}`);
      if (method === "PUT") return new Response("<CopyObjectResult></CopyObjectResult>");
      if (method === "GET") return new Response("<ListBucketResult></ListBucketResult>");
      if (url.endsWith("/to")) return new Response(null, { status: 404 });
      const headers = { ETag: '"e"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT" };
      return new Response("from", { headers });
    },
  });
  const store = await S3Store.open({
    bucket: "b",
    endpoint: liar.url.origin,
    credentials: { accessKeyId: "key", secretAccessKey: "secret" },
  });
  expect(await outcome(store.move("from", "to"))).toThrow("says that it copied from to to");
  expect(asked.slice(1)).toEqual(["HEAD /b/from", "PUT /b/to", "HEAD /b/to"]);
});
