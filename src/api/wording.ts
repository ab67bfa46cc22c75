import { abbreviate, type ContainerId, Fault, isFault } from "#base";
import type { Container, Engine, ImageDetail } from "#engine";
import { familiarString, parseReference, withDefaultTag } from "#image";

/**
 * Docker's own wording, which clients show and some match on. The engine says what
 * went wrong in its own words; here those cases are told apart by asking the engine,
 * never by reading its messages.
 */
export function containerOf(engine: Engine, ref: string): Container {
  return named(ref, () => engine.containers.get(ref));
}

/** For an exec: `conflict`, in Docker's words, when the container is paused or does not run. */
export function runningContainerOf(engine: Engine, ref: string): ContainerId {
  return named(ref, () => engine.execs.container(ref));
}

function named<T>(ref: string, find: () => T): T {
  if (ref === "") throw new Fault("invalid", 'invalid name or ID supplied: ""');
  try {
    return find();
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    throw new Fault("not_found", `No such container: ${ref}`, { about: ref, cause });
  }
}

/** The fault of a create or rename that failed, in Docker's words if the name is taken. */
export function nameFault(engine: Engine, name: string, fault: Fault): Fault {
  if (fault.code !== "exists" && fault.code !== "conflict") return fault;
  const bare = name.replace(/^\//, "");
  const holder = tryGet(() => engine.containers.get(bare));
  if (holder?.name !== bare) return fault;
  return new Fault(
    "conflict",
    `Conflict. The container name "/${bare}" is already in use by container "${holder.id}". You have to remove (or rename) that container to be able to reuse that name.`,
    { about: name, cause: fault },
  );
}

function tryGet<T>(get: () => T): T | undefined {
  try {
    return get();
  } catch {
    return undefined;
  }
}

/** "nope" is not found as "nope:latest", as Docker puts it; ids and digests stay as they are. */
export function noSuchImage(ref: string, cause?: unknown): Fault {
  return new Fault("not_found", `No such image: ${spelledOut(ref)}`, { about: ref, cause });
}

function spelledOut(ref: string): string {
  return tryGet(() => familiarString(withDefaultTag(parseReference(ref)))) ?? ref;
}

/** `not_found` in Docker's words when there is no such image. */
export async function imageOf(engine: Engine, ref: string): Promise<ImageDetail> {
  try {
    return await engine.images.get(ref);
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    throw noSuchImage(ref, cause);
  }
}

/** For a removal that the engine refused: the container that uses the image, in Docker's words. */
export function imageInUse(ref: string, fault: Fault): Fault {
  if (fault.code !== "conflict") return fault;
  return new Fault("conflict", `conflict: ${fault.message}`, { about: ref, cause: fault });
}

/**
 * Why a program could not be started, in the words by which Docker's CLI picks the
 * exit status: 127 for "executable file not found" and "no such file or directory",
 * 126 for "permission denied" and "is a directory", 125 for the rest.
 */
export function launchFault(fault: Fault, program: string, prefix: string): Fault {
  const why = programFault(fault, abbreviate(program));
  if (why === undefined && fault.stage === undefined) return fault;
  const message = `${prefix}: ${why ?? fault.message}`;
  return new Fault(why === undefined ? fault.code : "invalid", message, {
    about: program,
    cause: fault,
  });
}

function programFault(fault: Fault, program: string): string | undefined {
  if (fault.stage !== "exec") return undefined;
  const exec = `exec: "${program}"`;
  switch (fault.errno) {
    case "ENOTDIR":
      return `${exec}: stat ${program}: not a directory`;
    case "ENOENT":
      return program.includes("/")
        ? `${exec}: stat ${program}: no such file or directory`
        : `${exec}: executable file not found in $PATH`;
    case "EISDIR":
      return `${exec}: is a directory: permission denied`;
    case "EACCES":
    case "EPERM":
      return `${exec}: permission denied`;
    case "ENOEXEC":
      return `exec ${program}: exec format error`;
    default:
      return undefined;
  }
}
