import { open, rm } from "node:fs/promises";
import { Fault } from "#base";
import { createKeyPair } from "#trust";
import type { RegistryContext } from "./registry-context.ts";

/** Writes PREFIX.key and PREFIX.pub, as `cosign generate-key-pair` does; never over files that are there. */
export async function createKey(
  { env, askPassword, out }: Pick<RegistryContext, "env" | "askPassword" | "out">,
  { prefix }: { readonly prefix: string },
): Promise<number> {
  const password = env.COSIGN_PASSWORD ?? (await askTwice(askPassword));
  const { privateKey, publicKey } = await createKeyPair(password);
  await writeNew(`${prefix}.key`, privateKey, 0o600);
  try {
    await writeNew(`${prefix}.pub`, publicKey, 0o644);
  } catch (error) {
    await rm(`${prefix}.key`);
    throw error;
  }
  await out.write(`${prefix}.key and ${prefix}.pub written\n`);
  return 0;
}

async function askTwice(ask: RegistryContext["askPassword"]): Promise<string> {
  const password = await ask("Password of the new key: ");
  if ((await ask("The same again: ")) === password) return password;
  throw new Fault("invalid", "the two passwords differ; no key was made");
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  try {
    await using file = await open(path, "wx", mode);
    await file.writeFile(text);
    await file.sync();
  } catch (cause) {
    const exists = (cause as NodeJS.ErrnoException).code === "EEXIST";
    throw new Fault(
      exists ? "exists" : "invalid",
      exists
        ? `${path} exists already; a key is never overwritten, choose another name`
        : `cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      { about: path, cause },
    );
  }
}
