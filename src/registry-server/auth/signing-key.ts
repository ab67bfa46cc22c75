import { createPrivateKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import { link, mkdir, open, readFile, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Fault } from "#base";

/**
 * The private key (P-256, PKCS #8 PEM, for the owner only) at `path`, made when the file is
 * missing. `invalid` for any other content.
 */
export async function openSigningKey(path: string): Promise<KeyObject> {
  const text = (await readKey(path)) ?? (await makeKey(path));
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key;
  } catch (cause) {
    throw new Fault(
      "invalid",
      `${path} is not a private key in PEM: remove it and a new one is made`,
      {
        about: path,
        cause,
      },
    );
  }
  throw new Fault("invalid", `${path} is not an EC key on P-256: remove it and a new one is made`, {
    about: path,
  });
}

async function readKey(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** Whole or not at all; of two that make one at once the first wins. */
async function makeKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const text = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const temporary = `${path}.${process.pid}`;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(temporary, "w", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  try {
    await link(temporary, path);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return (await readKey(path)) ?? text;
  } finally {
    await rm(temporary, { force: true });
  }
}
