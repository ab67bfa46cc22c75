import { type FileHandle, open } from "node:fs/promises";
import { posix } from "node:path";
import { isFault } from "#base";
import { descriptorPath, S_IFDIR, S_IFMT, S_IFREG } from "#kernel";
import { type ElfNeeds, readElf } from "./elf.ts";
import { expandOrigin, isOfMusl, libraryDirectories } from "./library-search.ts";
import { machineName, runsHere } from "./machine-name.ts";
import type { ProgramTree, TreeEntry } from "./program-tree.ts";
import { readShebang, type Shebang } from "./shebang.ts";

/** A program as a container would start it. */
export interface ProgramRequest {
  /** The first word of the command. */
  readonly program: string;
  /** The search path of programs without a slash. */
  readonly path: string;
  readonly workingDir: string;
  readonly libraryPath: string;
  readonly uid: number;
  readonly gids: readonly number[];
}

/** Something that keeps a program from being run. */
export interface ProgramProblem {
  readonly kind:
    | "not-found"
    | "directory"
    | "not-a-file"
    | "not-executable"
    | "no-access"
    | "wrong-architecture"
    | "missing-loader"
    | "missing-library"
    | "missing-interpreter"
    | "unknown-format"
    | "damaged";
  /** What is so, with the paths and numbers that show it. */
  readonly message: string;
  readonly advice: string;
}

/** A program in a tree, and all that was found against it. */
export interface ProgramCheck {
  /** Absolute path inside the tree; absent when there is no such file. */
  readonly path?: string;
  readonly problems: readonly ProgramProblem[];
}

/** Interpreters of interpreters, and libraries of libraries, that are looked at. */
const limits = { depth: 4, files: 256 };

/**
 * Looks for what keeps a program of a tree from being run, as execve(2) and the loader would find
 * it: nothing is run and nothing outside the tree is opened.
 */
export async function checkProgram(
  tree: ProgramTree,
  request: ProgramRequest,
): Promise<ProgramCheck> {
  const check = new Check(tree, request);
  const found = check.find(request.program);
  if (!found) return { problems: [check.notFound(request.program)] };
  using entry = found.entry;
  await check.file(found.path, entry, 0);
  return { path: found.path, problems: check.problems };
}

class Check {
  readonly problems: ProgramProblem[] = [];
  readonly #tree: ProgramTree;
  readonly #request: ProgramRequest;

  constructor(tree: ProgramTree, request: ProgramRequest) {
    this.#tree = tree;
    this.#request = request;
  }

  /** The first of that name that can be executed, else the first one. */
  find(program: string): { readonly path: string; readonly entry: TreeEntry } | undefined {
    const { path: list, workingDir } = this.#request;
    const paths = program.includes("/")
      ? [posix.resolve("/", workingDir, program)]
      : list.split(":").map((directory) => posix.join("/", directory, program));
    let fallback: { path: string; entry: TreeEntry } | undefined;
    for (const path of paths) {
      const entry = this.#tree.open(path);
      if (!entry) continue;
      const isFile = (entry.stat.mode & S_IFMT) === S_IFREG;
      if (isFile && this.#allows(entry.stat, 1)) {
        fallback?.entry[Symbol.dispose]();
        return { path, entry };
      }
      if (fallback) entry[Symbol.dispose]();
      else fallback = { path, entry };
    }
    return fallback;
  }

  notFound(program: string): ProgramProblem {
    const { path, workingDir } = this.#request;
    if (!program.includes("/"))
      return {
        kind: "not-found",
        message: `no directory of PATH (${path}) has a file ${program}`,
        advice: `add ${program} to the image, or give its whole path as the command`,
      };
    const full = posix.resolve("/", workingDir, program);
    const names = this.#tree.names(posix.dirname(full)).slice(0, 8);
    const beside = names.length > 0 ? `; ${posix.dirname(full)} has ${names.join(", ")}` : "";
    return {
      kind: "not-found",
      message: `there is no file ${full} in the container${beside}`,
      advice:
        "correct the path, or look whether a mount covers the directory that the image has there",
    };
  }

  async file(path: string, entry: TreeEntry, depth: number): Promise<void> {
    const { mode } = entry.stat;
    if ((mode & S_IFMT) === S_IFDIR)
      return this.#add("directory", `${path} is a directory`, "name a program in it");
    if ((mode & S_IFMT) !== S_IFREG)
      return this.#add("not-a-file", `${path} is not a regular file`, "name a program");
    this.#checkAccess(path, entry);
    await using handle = await open(descriptorPath(entry.fd), "r");
    const shebang = await readShebang(handle);
    if (shebang) return await this.#script(path, shebang, depth);
    try {
      const elf = await readElf(handle, path);
      if (elf) await this.#elf(entry.path, elf);
      else await this.#unknown(path, handle);
    } catch (error) {
      if (!isFault(error, "invalid")) throw error;
      this.#add("damaged", error.message, "build or copy the file anew: a part of it is lost");
    }
  }

  #checkAccess(path: string, { stat }: TreeEntry): void {
    const { uid, gids } = this.#request;
    const owner = `its mode is ${(stat.mode & 0o7777).toString(8).padStart(4, "0")}, its owner ${stat.uid}:${stat.gid}`;
    if (!this.#allows(stat, 1)) {
      const advice = (stat.mode & 0o111) === 0 ? `RUN chmod +x ${path}` : `--user ${stat.uid}`;
      this.#add(
        "not-executable",
        `user ${uid} may not execute ${path}: ${owner}`,
        `allow it in the image or on the host: ${advice}`,
      );
    }
    if (uid === 0) return;
    for (let at = posix.dirname(path); at !== "/"; at = posix.dirname(at)) {
      using directory = this.#tree.open(at);
      if (!directory || this.#allows(directory.stat, 1)) continue;
      this.#add(
        "no-access",
        `user ${uid} (groups ${gids.join(", ")}) may not enter ${at}`,
        `allow it: chmod o+x ${at}`,
      );
    }
  }

  /** As the kernel decides by owner, group and mode; root may execute what anyone may. */
  #allows({ mode, uid, gid }: TreeEntry["stat"], bit: number): boolean {
    const request = this.#request;
    if (request.uid === 0) return (mode & 0o111) !== 0 || (mode & S_IFMT) === S_IFDIR;
    if (request.uid === uid) return (mode & (bit << 6)) !== 0;
    return (mode & (request.gids.includes(gid) ? bit << 3 : bit)) !== 0;
  }

  async #script(path: string, { interpreter, argument }: Shebang, depth: number): Promise<void> {
    if (interpreter.endsWith("\r") || argument.endsWith("\r"))
      return this.#add(
        "missing-interpreter",
        `the first line of ${path} ends with a carriage return, so that its interpreter is called ${JSON.stringify(interpreter)}`,
        `save the script with line ends of Unix: sed -i 's/\\r$//' ${posix.basename(path)}`,
      );
    const program = programOfEnv(interpreter, argument);
    const found = this.find(interpreter);
    using entry = found?.entry;
    if (!entry) return this.#noInterpreter(path, interpreter);
    if (depth < limits.depth) await this.file(interpreter, entry, depth + 1);
    if (program === undefined) return;
    using run = this.find(program)?.entry;
    if (!run) this.#noInterpreter(path, program);
  }

  #noInterpreter(path: string, interpreter: string): void {
    this.#add(
      "missing-interpreter",
      `${path} is a script for ${interpreter}, which the container does not have`,
      `use an image that has ${posix.basename(interpreter)}, or correct the first line of the script`,
    );
  }

  async #elf(path: string, elf: ElfNeeds): Promise<void> {
    if (!runsHere(elf.machine))
      return this.#add(
        "wrong-architecture",
        `${path} is a program for ${machineName(elf.machine)}, and this machine is ${process.arch === "x64" ? "amd64" : process.arch}`,
        "pull or build the image for this machine (--platform), or register an emulator: binfmt_misc with qemu-user",
      );
    const { loader } = elf;
    if (loader === undefined) return;
    if (!this.#tree.has(loader))
      return this.#add(
        "missing-loader",
        `${path} is linked dynamically, and its loader ${loader} is not in the container`,
        /musl/.test(loader)
          ? "it was built for musl (Alpine): build it in the image's distribution, or statically"
          : "it was built for glibc: use an image with glibc (debian, not alpine or scratch), or build it statically",
      );
    const missing = await this.#missingLibraries(path, elf, loader);
    if (missing.length > 0)
      this.#add(
        "missing-library",
        `${path} needs ${missing.join(", ")}, which ${missing.length === 1 ? "is" : "are"} in no directory that ${loader} searches`,
        "install the package that has it in the image, or set LD_LIBRARY_PATH",
      );
  }

  /** Those of the program, and of its libraries in turn. */
  async #missingLibraries(path: string, elf: ElfNeeds, loader: string): Promise<string[]> {
    const directories = await libraryDirectories(this.#tree, loader, this.#request);
    const seen = new Set<string>();
    const missing: string[] = [];
    const todo = [{ path, elf }];
    for (let next = todo.pop(); next && seen.size < limits.files; next = todo.pop()) {
      const own = expandOrigin([...next.elf.searchPaths, ...elf.searchPaths], next.path);
      for (const library of next.elf.libraries) {
        if (seen.has(library) || isOfMusl(loader, library)) continue;
        seen.add(library);
        const places = library.includes("/")
          ? [library]
          : [...own, ...directories].map((directory) => posix.join(directory, library));
        using entry = firstFile(this.#tree, places);
        if (!entry) {
          missing.push(library);
          continue;
        }
        await using handle = await open(descriptorPath(entry.fd), "r");
        const inner = await readElf(handle, entry.path);
        if (inner) todo.push({ path: entry.path, elf: inner });
      }
    }
    return missing;
  }

  async #unknown(path: string, handle: FileHandle): Promise<void> {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(256), 0, 256, 0);
    const head = buffer.subarray(0, bytesRead);
    if (head.length === 0) return this.#add("unknown-format", `${path} is empty`, "copy it anew");
    const isMarked = head.subarray(0, 3).equals(Buffer.of(0xef, 0xbb, 0xbf));
    if (isMarked || !head.includes(0))
      return this.#add(
        "unknown-format",
        isMarked
          ? `${path} begins with a byte order mark, which the kernel does not skip`
          : `${path} is a text without a first line that names its interpreter`,
        isMarked ? "save it as UTF-8 without a byte order mark" : "begin it with #!/bin/sh",
      );
    this.#add("unknown-format", `${path} is no program that Linux knows`, "build it for Linux");
  }

  #add(kind: ProgramProblem["kind"], message: string, advice: string): void {
    this.problems.push({ kind, message, advice });
  }
}

/** The program of `#!/usr/bin/env python3` and `#!/usr/bin/env -S node --flag`. */
function programOfEnv(interpreter: string, argument: string): string | undefined {
  if (posix.basename(interpreter) !== "env") return undefined;
  const words = argument.split(/[ \t]+/);
  const [first = ""] = words[0] === "-S" ? words.slice(1) : [argument];
  return first === "" || first.startsWith("-") || first.includes("=") ? undefined : first;
}

function firstFile(tree: ProgramTree, paths: readonly string[]): TreeEntry | undefined {
  for (const path of paths) {
    const entry = tree.openFile(path);
    if (entry) return entry;
  }
  return undefined;
}
