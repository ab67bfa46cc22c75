import { open, readFile, rename } from "node:fs/promises";
import { defined } from "#base";
import type { CertificatePair } from "./issue-certificate.ts";

/** The paths of a certificate and of its key. */
export interface PairFiles {
  readonly cert: string;
  readonly key: string;
}

/** What is in the files; undefined for one that is missing. */
export async function readPair(files: PairFiles): Promise<Partial<CertificatePair>> {
  const [cert, key] = await Promise.all([readIfThere(files.cert), readIfThere(files.key)]);
  return defined({ cert, key });
}

async function readIfThere(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
}

/** Writes a key, for its owner only, and then its certificate: each whole, or as it was before. */
export async function writePair(pair: CertificatePair, files: PairFiles): Promise<void> {
  await writeWhole(files.key, pair.key, 0o600);
  await writeWhole(files.cert, pair.cert, 0o644);
}

async function writeWhole(path: string, text: string, mode: number): Promise<void> {
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", mode);
  try {
    await file.chmod(mode);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
