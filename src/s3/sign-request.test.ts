import { expect, test } from "bun:test";
import { signRequest } from "./sign-request.ts";

/** The wanted signatures are those of curl 7.88 (--aws-sigv4 aws:amz:eu-west-1:s3) for the same requests. */
const common = {
  method: "PUT",
  region: "eu-west-1",
  credentials: {
    accessKeyId: "AKIDEXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  },
  now: new Date("2026-01-02T03:04:05Z"),
};

test("a request with a query is signed as curl signs it", async () => {
  const path = "registry/docker/registry/v2/blobs/sha256/ab/data?partNumber=3&uploadId=a%2Bb";
  const url = new URL(`http://s3.example.org/${path}`);
  expect(await signRequest({ ...common, url })).toEqual({
    "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
    "x-amz-date": "20260102T030405Z",
    authorization:
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-west-1/s3/aws4_request, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=65577049969fbf75c6df873fd709551eb9fe8ab56a69bddb83484f701b23f621",
  });
});

test("further headers are signed with it", async () => {
  const url = new URL("http://s3.example.org/registry/to");
  const headers = { "x-amz-copy-source": "/registry/from" };
  const signed = await signRequest({ ...common, url, headers });
  expect(signed.authorization).toEndWith(
    "SignedHeaders=host;x-amz-content-sha256;x-amz-copy-source;x-amz-date, Signature=93b5baf3fb34218faa984647377485a219319d8401dafb5c895762af74575eca",
  );
});

test("characters that need a percent sign, and a type of content, are signed as curl signs them", async () => {
  const url = new URL("http://s3.example.org/registry/a%2Bb%20%28c%29/%C3%A4~_-.x");
  const headers = { "content-type": "application/octet-stream" };
  const signed = await signRequest({ ...common, url, headers });
  expect(signed["content-type"]).toBe("application/octet-stream");
  expect(signed.authorization).toEndWith(
    "Signature=ff0bfa95408bc4b4b3cb31bde30aa73f945ebb15bc708b1b72d8258c4e2db5f1",
  );
});
