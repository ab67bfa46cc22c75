import { afterAll, beforeEach, expect, test } from "bun:test";
import { outcome } from "../base/testing.ts";
import { Bucket } from "./bucket.ts";

/** A server that answers as it is told to and keeps what it was sent. */
let answer: () => Response;
const seen: { method: string; url: string; headers: Headers }[] = [];
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: ({ method, url, headers }) => {
    seen.push({ method, url, headers: new Headers(headers) });
    return answer();
  },
});
afterAll(() => server.stop(true));
beforeEach(() => {
  seen.length = 0;
});

const bucket = new Bucket({
  bucket: "registry",
  endpoint: `http://127.0.0.1:${server.port}`,
  credentials: { accessKeyId: "key", secretAccessKey: "secret" },
});

const xml = (root: string) => () =>
  new Response(`<?xml version="1.0"?><${root}><UploadId>u</UploadId></${root}>`, {
    headers: { ETag: '"e"', "Last-Modified": "Fri, 02 Jan 2026 03:04:05 GMT" },
  });
const upload = { uploadId: "u", parts: [{ number: 1, etag: '"e"' }] };
const bytes = Buffer.from("x");

/** Amazon wants it (sig-v4-header-based-auth, "CanonicalHeaders"); Ceph refuses what does otherwise. */
test("a content type and what begins with x-amz- is signed, whatever is asked for", async () => {
  answer = xml("InitiateMultipartUploadResult");
  await bucket.put("k", bytes);
  await bucket.put("k", Buffer.alloc(0));
  await bucket.stat("k");
  await bucket.delete("k");
  await bucket.getRange("k", { start: 0, end: 1, etag: '"other"' });
  await bucket.createUpload("k");
  await bucket.uploadPart("k", { uploadId: "u", number: 1, bytes });
  await bucket.abortUpload("k", "u");
  answer = xml("ListBucketResult");
  await bucket.list({ prefix: "p/" });
  answer = xml("CopyObjectResult");
  await bucket.copy("k", "l");
  answer = xml("CompleteMultipartUploadResult");
  await bucket.completeUpload("k", upload);
  expect(seen.length).toBe(11);
  for (const { method, url, headers } of seen) {
    const signed = /SignedHeaders=([^,]+)/.exec(headers.get("authorization") ?? "")?.[1];
    const unsigned = [...headers.keys()].filter(
      (name) => /^(host|content-type|x-amz-.*)$/.test(name) && !signed?.split(";").includes(name),
    );
    expect({ method, url, unsigned }).toEqual({ method, url, unsigned: [] });
  }
});

test("a write to a missing bucket is a fault", async () => {
  answer = () => new Response("", { status: 404 });
  expect(await outcome(bucket.put("k", bytes))).toThrow(
    `cannot write k in the bucket registry at http://127.0.0.1:${server.port}: `,
  );
  expect(await bucket.copy("k", "l")).toBeUndefined();
  expect(await bucket.completeUpload("k", upload)).toBeUndefined();
});

test("a 200 that does not end in a result is no copy and no object put together: it is asked again", async () => {
  const cutShort = () => new Response('<?xml version="1.0"?>  ');
  answer = () => (seen.length === 1 ? cutShort() : xml("CopyObjectResult")());
  expect(await bucket.copy("k", "l")).toBe(true);
  expect(seen.length).toBe(2);
  answer = () => (seen.length === 3 ? cutShort() : xml("CompleteMultipartUploadResult")());
  expect(await bucket.completeUpload("k", upload)).toBe(true);
  expect(seen.length).toBe(4);
});

test("a refusal gives its reason and remedy at the first try", async () => {
  answer = () =>
    new Response("<Error><Code>SignatureDoesNotMatch</Code><Message></Message></Error>", {
      status: 403,
    });
  const advice = "SignatureDoesNotMatch; check the keys and their permissions";
  expect(await outcome(bucket.list({ prefix: "p/" }))).toThrow(`: ${advice}`);
  expect(await outcome(bucket.put("k", bytes))).toThrow(`: ${advice}`);
  answer = () => new Response(null, { status: 403 });
  expect(await outcome(bucket.stat("k"))).toThrow(": Forbidden; check the keys");
  expect(seen.length).toBe(3);
});
