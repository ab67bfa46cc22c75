import { open, readFile, rename, stat } from "node:fs/promises";
import { Fault } from "#base";
import { createPasswordEntry } from "#registry-server";

const maxBytes = 4 << 20;

/**
 * `registry htpasswd FILE USER`: sets the user's password in the file, which is made when
 * it is missing, or takes the user out. A server that uses it sees the old or the new file.
 */
export async function registryPassword(
  request: {
    readonly file: string;
    readonly user: string;
    /** Undefined: take the user out. */
    readonly password: string | undefined;
  },
  { out }: { readonly out: { write(text: string): Promise<void> } },
): Promise<number> {
  const { file, user, password } = request;
  const before = await readEntries(file);
  const others = before.filter((line) => !line.startsWith(`${user}:`));
  if (password === undefined) {
    if (others.length === before.length) {
      throw new Fault("not_found", `there is no user ${user} in ${file}`, { about: user });
    }
    await writeEntries(file, others);
    await out.write(`removed ${user} from ${file}\n`);
    return 0;
  }
  const entry = await createPasswordEntry(user, password);
  await writeEntries(file, [...others, entry]);
  await out.write(`${others.length < before.length ? "changed" : "added"} ${user} in ${file}\n`);
  return 0;
}

async function readEntries(file: string): Promise<string[]> {
  try {
    if ((await stat(file)).size > maxBytes) {
      throw new Fault("exhausted", `${file} is larger than ${maxBytes} bytes`, { about: file });
    }
    return (await readFile(file, "utf8")).split("\n").filter((line) => line !== "");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** Whole or not at all; readable for the owner alone when it is new. */
async function writeEntries(path: string, lines: readonly string[]): Promise<void> {
  const mode = await stat(path).then(
    (found) => found.mode & 0o777,
    () => 0o600,
  );
  const temporary = `${path}.new`;
  const file = await open(temporary, "w", mode).catch((cause: Error) => {
    throw new Fault("unavailable", `cannot write ${path}: ${cause.message}`, {
      about: path,
      cause,
    });
  });
  try {
    await file.chmod(mode);
    await file.writeFile(lines.map((line) => `${line}\n`).join(""));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
