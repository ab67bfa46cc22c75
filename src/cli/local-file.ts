import { Fault } from "#base";

// node:fs and node:path take a millisecond to load, which a `run` without files need not pay.

/** The text of a file on this machine; `what` names it in the fault ("open", "opening seccomp profile"). */
export function readText(path: string, what = "open"): string {
  try {
    return process.getBuiltinModule("node:fs").readFileSync(path, "utf8");
  } catch (cause) {
    throw new Fault("not_found", `${what} ${path}: ${reasonOf(cause)}`, { about: path, cause });
  }
}

/** A path that begins with "." made absolute; others as they are. */
export function absolute(path: string): string {
  return path.startsWith(".") ? process.getBuiltinModule("node:path").resolve(path) : path;
}

/** The system's own words for an error. */
export function reasonOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "ENOENT") return "no such file or directory";
  if (code === "EACCES") return "permission denied";
  if (code === "EISDIR") return "is a directory";
  if (code === "EEXIST") return "file exists";
  return error instanceof Error ? error.message : String(error);
}
