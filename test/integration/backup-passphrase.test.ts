import { expect, test } from "bun:test";
import { createKey, openKey } from "#chunk";
import { outcome } from "../../src/base/testing.ts";

/** Here and not beside its module: each use of a passphrase takes a second or more, as it should. */
test("the key of a backup opens with the passphrase that it was made for", async () => {
  const { key, file } = await createKey({ passphrase: "horse" });
  expect(await openKey(file, { passphrase: "horse" })).toEqual(key);
  expect(await outcome(openKey(file, { passphrase: "cow" }))).toThrow(
    "the backup is encrypted, and not for the passphrase",
  );
});
