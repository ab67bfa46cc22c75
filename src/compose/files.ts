import { Fault } from "#base";

/** Why a file could not be read, by its errno. */
export interface FileProblem {
  readonly errno: string;
}

/** The door to the files that a project names; a test has them in memory. */
export interface Files {
  /** The text of a file, which need not read more than `maxFileBytes` to say EFBIG. */
  read(path: string): string | FileProblem;
  /** What is there, behind symbolic links; undefined for nothing. */
  kind(path: string): "file" | "directory" | undefined;
  /** The path without symbolic links; the path itself where nothing is there. */
  real(path: string): string;
}

const words: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EISDIR: "is a directory",
  EACCES: "permission denied",
  ENOTDIR: "not a directory",
  ELOOP: "too many levels of symbolic links",
};

/** No file of a project may be larger. */
export const maxFileBytes = 10 * 1024 * 1024;

/**
 * The text of a file.
 * @throws Fault worded as Go's errors, "not_found" where there is no file
 */
export function readText(files: Files, path: string): string {
  const text = files.read(path);
  if (typeof text !== "string") throw fileFault(path, text.errno);
  if (text.length > maxFileBytes) throw fileFault(path, "EFBIG");
  return text;
}

/** What Go says of a file that cannot be opened, read or looked at. */
export function fileFault(path: string, errno: string, verb?: "stat"): Fault {
  if (errno === "EFBIG") {
    return new Fault("invalid", `read ${path}: no file of a project may be larger than 10 MB`);
  }
  const action = verb ?? (errno === "EISDIR" ? "read" : "open");
  const code = errno === "ENOENT" ? "not_found" : "invalid";
  return new Fault(code, `${action} ${path}: ${words[errno] ?? errno}`);
}
