import { lstat, open, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { defined, StepBudget } from "#base";
import { readElf } from "./elf.ts";
import { readShebang } from "./shebang.ts";

/** A thing without which a file cannot run, and which the tree lacks. */
export interface Lack {
  /** Absolute path inside the tree. */
  readonly file: string;
  readonly loader?: string;
  readonly libraries: readonly string[];
  /** Interpreter of a script. */
  readonly interpreter?: string;
}

/**
 * Looks at each program, library and executable script of a tree and says what it lacks. A library
 * counts as present under its name anywhere in the tree: where a loader searches is its own
 * business. Damaged ELF files are `invalid` Faults.
 */
export async function findLacks(root: string): Promise<Lack[]> {
  const files = await listFiles(root);
  const names = new Set(files.map((file) => file.slice(file.lastIndexOf("/") + 1)));
  const lacks: Lack[] = [];
  for (const file of files) {
    const lack = await lackOf(root, file, names);
    if (lack !== undefined) lacks.push(lack);
  }
  return lacks;
}

async function lackOf(
  root: string,
  file: string,
  names: ReadonlySet<string>,
): Promise<Lack | undefined> {
  const path = join(root, file);
  const { mode } = await lstat(path);
  if ((mode & 0o170000) !== 0o100000) return undefined;
  await using handle = await open(path, "r");
  const elf = await readElf(handle, file);
  if (elf === undefined) {
    const interpreter = mode & 0o111 ? (await readShebang(handle))?.interpreter : undefined;
    if (interpreter === undefined || (await exists(root, interpreter))) return undefined;
    return { file, libraries: [], interpreter };
  }
  const loader =
    elf.loader === undefined || (await exists(root, elf.loader)) ? undefined : elf.loader;
  const libraries: string[] = [];
  for (const library of elf.libraries) {
    const found = library.includes("/") ? await exists(root, library) : names.has(library);
    if (!found) libraries.push(library);
  }
  if (loader === undefined && libraries.length === 0) return undefined;
  return { file, libraries, ...defined({ loader }) };
}

/**
 * Absolute paths inside the tree of all that is not a directory. By hand, because Bun's
 * recursive readdir goes through links, out of the tree if they lead there.
 */
async function listFiles(root: string): Promise<string[]> {
  const files: string[] = [];
  const directories = [""];
  for (let at = directories.pop(); at !== undefined; at = directories.pop())
    for (const entry of await readdir(join(root, at), { withFileTypes: true }))
      (entry.isDirectory() ? directories : files).push(`${at}/${entry.name}`);
  return files.sort();
}

/** Whether a path leads to something, links followed inside the tree. */
async function exists(root: string, path: string): Promise<boolean> {
  let at = "";
  const todo = path.split("/");
  for (const budget = new StepBudget(); budget.take(); ) {
    const name = todo.shift();
    if (name === undefined) return true;
    if (name === "" || name === ".") continue;
    if (name === "..") {
      at = at.slice(0, Math.max(0, at.lastIndexOf("/")));
      continue;
    }
    const found = await lstat(join(root, at, name)).catch(() => undefined);
    if (found === undefined) return false;
    if (found.isSymbolicLink()) {
      const target = await readlink(join(root, at, name));
      if (target.startsWith("/")) at = "";
      todo.unshift(...target.split("/"));
    } else {
      at = `${at}/${name}`;
    }
  }
  return false;
}
