import * as openpgp from "openpgp";
import { Fault } from "#base";

/**
 * The signed text of a clear-signed message, once one signature by a key of the
 * keyring is good. As with apt, signatures by other keys are passed over, a bad
 * one by a key of the keyring refuses the whole, and a key that has expired or was
 * revoked counts for nothing. Faults: unauthenticated, invalid.
 */
export async function verifyClearSigned(
  bytes: Uint8Array,
  keyring: Uint8Array,
  {
    about,
    keyringName,
    now,
  }: { readonly about: string; readonly keyringName: string; readonly now: Date },
): Promise<string> {
  const message = await readMessage(bytes, about);
  const keys = await readKeyring(keyring, keyringName);
  const result = await openpgp.verify({
    message,
    verificationKeys: keys,
    date: now,
  });
  const reasons: string[] = [];
  let good = false;
  for (const signature of result.signatures) {
    const id = signature.keyID.toHex().toUpperCase();
    const key = keys.find((candidate) => candidate.getKeys(signature.keyID).length > 0);
    if (key === undefined) {
      reasons.push(`${id}: not in the keyring`);
      continue;
    }
    try {
      await signature.verified;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (/digest|signature verification|hash mismatch/i.test(why))
        throw unauthenticated(about, keyringName, [`${id}: BAD signature (${why})`]);
      reasons.push(`${id}: ${why}`);
      continue;
    }
    const flaw = await keyFlaw(key, signature.keyID, now);
    if (flaw === undefined) good = true;
    else reasons.push(`${id}: ${flaw}`);
  }
  if (!good) throw unauthenticated(about, keyringName, reasons);
  return message.getText();
}

/** Why a key that made a sound signature is not to be believed now. */
async function keyFlaw(
  key: openpgp.Key,
  id: openpgp.KeyID,
  now: Date,
): Promise<string | undefined> {
  try {
    await key.verifyPrimaryKey(now);
    for (const part of key.getKeys(id))
      if ("verify" in part && part !== (key as unknown)) await part.verify(now);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.toLowerCase() : String(error);
  }
}

async function readMessage(bytes: Uint8Array, about: string): Promise<openpgp.CleartextMessage> {
  const text = Buffer.from(bytes).toString("utf8");
  // Nothing may stand around the signed part: somebody else could have written it.
  const begin = "-----BEGIN PGP SIGNED MESSAGE-----";
  const end = "-----END PGP SIGNATURE-----";
  if (!text.startsWith(begin) || text.trimEnd().slice(-end.length) !== end)
    throw new Fault(
      "unauthenticated",
      `${about} is not a clear-signed message (it begins with ${JSON.stringify(text.slice(0, 40))}): something other than a Debian mirror answers there`,
      { about },
    );
  try {
    return await openpgp.readCleartextMessage({ cleartextMessage: text });
  } catch (error) {
    throw new Fault(
      "unauthenticated",
      `the signature of ${about} cannot be read: ${String(error)}`,
      {
        about,
        cause: error,
      },
    );
  }
}

async function readKeyring(bytes: Uint8Array, name: string): Promise<openpgp.Key[]> {
  try {
    const armoured = Buffer.from(bytes.subarray(0, 64))
      .toString("latin1")
      .trimStart()
      .startsWith("-----BEGIN");
    return armoured
      ? await openpgp.readKeys({ armoredKeys: Buffer.from(bytes).toString("utf8") })
      : await openpgp.readKeys({ binaryKeys: bytes });
  } catch (error) {
    throw new Fault("invalid", `the keyring ${name} cannot be read: ${String(error)}`, {
      about: name,
      cause: error,
    });
  }
}

function unauthenticated(about: string, keyring: string, reasons: readonly string[]): Fault {
  return new Fault(
    "unauthenticated",
    `no good signature on ${about}: ${reasons.join("; ") || "it is not signed"}; the keys were taken from ${keyring}, --keyring=FILE names others`,
    { about },
  );
}
