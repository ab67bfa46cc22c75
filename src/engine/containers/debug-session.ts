import { type ContainerId, Fault } from "#base";
import type { Task, TaskExit } from "#task";
import type { Parts } from "../parts.ts";
import type { ContainerRecord } from "./container-record.ts";

/** Tools at work on the files of a container that does not run; it can neither start nor go meanwhile. */
export interface LiveDebug {
  readonly task: Task;
  /** Looks at its files that are under way: its root stays mounted until they settle. */
  readonly views: Set<Promise<void>>;
  /** The end of the tools, once the container's files are free again. */
  readonly ended: Promise<TaskExit>;
}

/** The size of the terminal of the tools that work on a container. */
export async function resizeDebug(
  parts: Parts<"store" | "debugging">,
  ref: string,
  size: { readonly rows: number; readonly columns: number },
): Promise<void> {
  const { id, name } = parts.store.find(ref);
  const session = parts.debugging.get(id);
  if (!session)
    throw new Fault("conflict", `container ${name} is not being debugged`, { about: name });
  await session.task.resize(size);
}

/** A `conflict` while tools work on the files of a container; `doing`: "cannot be started". */
export function requireUndebugged(
  parts: Parts<"debugging">,
  { id, name }: Pick<ContainerRecord, "id" | "name">,
  doing: string,
): void {
  if (!parts.debugging.has(id)) return;
  const message = `container ${name} is being debugged and ${doing}: end that session first`;
  throw new Fault("conflict", message, { about: name });
}

/** Ends the tools that work on a container, if there are any. */
export async function endDebug(parts: Parts<"debugging">, id: ContainerId): Promise<void> {
  const session = parts.debugging.get(id);
  await session?.task.killAll();
  await session?.ended;
}
