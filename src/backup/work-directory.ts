import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** An empty directory below another; what a crash left in it is removed. */
export async function emptyDirectory(parent: string, name: string): Promise<string> {
  const path = join(parent, name);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true, mode: 0o700 });
  return path;
}
