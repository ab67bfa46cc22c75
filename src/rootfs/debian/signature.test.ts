import { beforeAll, expect, test } from "bun:test";
import { clearSign, newKey, type TestKey } from "../../../test/support/debian-repository.ts";
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
  await expect(verify(message, key.publicBytes)).rejects.toMatchObject({ code: "unauthenticated" });
});

test("a bad signature by a known key refuses the whole, however many good ones there are", async () => {
  const message = await clearSign("text\n", [other, key]);
  const keyring = Buffer.concat([key.publicBytes, other.publicBytes]);
  expect(await verify(message, keyring)).toBe("text\n");
  await expect(verify(message.replace("text", "texx"), keyring)).rejects.toThrow("BAD signature");
});

test("a key that has expired since it signed", async () => {
  const year = 365 * 86_400;
  const then = new Date(Date.now() - 2 * year * 1000);
  const old = await newKey({ expiresIn: year, date: then });
  const message = await clearSign("text\n", [old], new Date(then.getTime() + 86_400_000));
  await expect(verify(message, old.publicBytes)).rejects.toThrow("expired");
});

test("text around the message", async () => {
  const message = await clearSign("text\n", [key]);
  await expect(verify(`Origin: Evil\n${message}`, key.publicBytes)).rejects.toThrow(
    "not a clear-signed",
  );
  await expect(verify(`${message}\nOrigin: Evil\n`, key.publicBytes)).rejects.toThrow(
    "not a clear-signed",
  );
});

test("a keyring that is none", async () => {
  await expect(
    verify(await clearSign("text\n", [key]), Buffer.from("nonsense")),
  ).rejects.toMatchObject({
    code: "invalid",
  });
});
