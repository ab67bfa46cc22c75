import { beforeAll, expect, test } from "bun:test";
import { clearSign, newKey, type TestKey } from "../../../test/support/debian-repository.ts";
import { outcome, rejection } from "../../base/testing.ts";
import { verifyClearSigned } from "./signature.ts";

let key: TestKey;
let other: TestKey;

beforeAll(async () => {
  key = await newKey();
  other = await newKey();
});

const verify = (message: string, keyring: Uint8Array, now = new Date()) =>
  verifyClearSigned(Buffer.from(message), keyring, {
    about: "InRelease",
    keyringName: "test.gpg",
    now,
  });

test("the signed text comes out, dashes and all", async () => {
  const text = "Origin: Test\n- dashed\n-----not armour\n";
  expect(await verify(await clearSign(text, [key]), key.publicBytes)).toBe(text);
});

test("one known key among several is enough", async () => {
  expect(await verify(await clearSign("text\n", [other, key]), key.publicBytes)).toBe("text\n");
});

test("unknown keys are not", async () => {
  const message = await clearSign("text\n", [other]);
  expect(await rejection(verify(message, key.publicBytes))).toMatchObject({
    code: "unauthenticated",
  });
});

test("a bad signature by a known key refuses the whole, however many good ones there are", async () => {
  const message = await clearSign("text\n", [other, key]);
  const keyring = Buffer.concat([key.publicBytes, other.publicBytes]);
  expect(await verify(message, keyring)).toBe("text\n");
  expect(await outcome(verify(message.replace("text", "texx"), keyring))).toThrow("BAD signature");
});

test("a key that has expired since it signed", async () => {
  const year = 365 * 86_400;
  const then = new Date(Date.now() - 2 * year * 1000);
  const old = await newKey({ expiresIn: year, date: then });
  const message = await clearSign("text\n", [old], new Date(then.getTime() + 86_400_000));
  expect(await outcome(verify(message, old.publicBytes))).toThrow("expired");
});

test("text around the message", async () => {
  const message = await clearSign("text\n", [key]);
  expect(await outcome(verify(`Origin: Evil\n${message}`, key.publicBytes))).toThrow(
    "not a clear-signed",
  );
  expect(await outcome(verify(`${message}\nOrigin: Evil\n`, key.publicBytes))).toThrow(
    "not a clear-signed",
  );
});

test("a file that is not a keyring", async () => {
  expect(
    await rejection(verify(await clearSign("text\n", [key]), Buffer.from("nonsense"))),
  ).toMatchObject({
    code: "invalid",
  });
});
