import { realpath } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Exit } from "./failure.ts";
import { lookAt } from "./send-tree.ts";

/** What is at a destination on this machine: checked before anything is asked of the engine. */
export async function targetAt(
  path: string,
): Promise<{ readonly path: string; readonly is: "directory" | "file" | "missing" }> {
  const whole = resolve(path);
  const parent = dirname(whole);
  if (!(await lookAt(parent, { follow: true })))
    throw new Exit(1, `invalid output path: directory "${parent}" does not exist`);
  const found = await lookAt(whole, { follow: true });
  if (found && !found.isDirectory() && !found.isFile()) {
    const kind = found.isBlockDevice() || found.isCharacterDevice() ? "a device" : "another file";
    throw new Exit(
      1,
      `invalid output path: "${whole}" must be a directory or a regular file: got ${kind}`,
    );
  }
  if (found) return { path: await realpath(whole), is: found.isDirectory() ? "directory" : "file" };
  return { path: path.endsWith("/") ? `${whole}/` : whole, is: "missing" };
}

/** A source on this machine; with `follow` a link counts as what it leads to. */
export async function sourceAt(
  path: string,
  { follow }: { readonly follow: boolean },
): Promise<{ readonly path: string; readonly isDirectory: boolean }> {
  const whole = resolve(path);
  const found = await lookAt(whole, { follow: follow || /\/\.?$/.test(path) });
  if (!found) throw new Exit(1, `lstat ${whole}: no such file or directory`);
  if (path.endsWith("/") && !found.isDirectory())
    throw new Exit(1, `lstat ${whole}/: not a directory`);
  return { path: whole, isDirectory: found.isDirectory() };
}
