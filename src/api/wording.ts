import { type ContainerId, Fault, isFault } from "#base";
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

/** A launch that failed, as the engine tells it, behind the beginning that Docker's clients look for. */
export function launchFault(fault: Fault, prefix: string): Fault {
  if (fault.stage === undefined) return fault;
  return new Fault(fault.code, `${prefix}: ${fault.message}`, { cause: fault });
}
