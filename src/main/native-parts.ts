import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makePrivateDirectory, useAddon } from "#kernel";
import { embeddedAddon } from "./assets.ts";

/**
 * Makes the addon of a release loadable: the dynamic loader wants a file, and Bun would
 * leave it to TMPDIR, where others can write. It is put below the run root, in a
 * directory of root's own, as a whole or not at all. In a clone there is nothing to do.
 */
export async function useEmbeddedAddon(runRoot: string): Promise<void> {
  const bytes = await embeddedAddon();
  if (bytes === undefined) return;
  const directory = join(runRoot, "native");
  makePrivateDirectory(directory);
  const name = `addon-${new Bun.CryptoHasher("sha256").update(bytes).digest("hex").slice(0, 16)}.node`;
  const path = join(directory, name);
  const temporary = `${path}.${process.pid}`;
  await writeFile(temporary, bytes, { mode: 0o700 });
  await rename(temporary, path);
  useAddon(path);
}
