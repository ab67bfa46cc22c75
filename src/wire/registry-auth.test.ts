import { expect, test } from "bun:test";
import { decodeRegistryAuth, decodeRegistryConfig, encodeRegistryAuth } from "./registry-auth.ts";

test("credentials come back as they were sent", () => {
  const auth = { username: "jö", password: "p/+?", serveraddress: "r.example" };
  const text = encodeRegistryAuth(auth);
  expect(text).toMatch(/^[\w-]+$/);
  expect(decodeRegistryAuth(text)).toEqual(auth);
});

test("both alphabets of base64, the pair in one field, and empty fields are understood", () => {
  const standard = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64");
  expect(decodeRegistryAuth(standard({ auth: btoa("joe:a:b"), identitytoken: "" }))).toEqual({
    username: "joe",
    password: "a:b",
  });
  expect(decodeRegistryAuth(standard({ identitytoken: "t", email: "x@y" }))).toEqual({
    identitytoken: "t",
  });
});

test.each([undefined, "", "@@@", btoa("[]"), btoa("null"), btoa("{"), "e".repeat(70_000)])(
  "%p is none",
  (text) => {
    expect(decodeRegistryAuth(text)).toBeUndefined();
    expect(decodeRegistryConfig(text)).toBeUndefined();
  },
);

test("credentials by registry; entries that are not objects are passed over", () => {
  const text = btoa(JSON.stringify({ "r.example": { username: "joe" }, other: 1 }));
  expect([...(decodeRegistryConfig(text) ?? [])]).toEqual([["r.example", { username: "joe" }]]);
});
