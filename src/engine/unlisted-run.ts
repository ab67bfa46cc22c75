import type { Readable } from "node:stream";
import { type ContainerId, newId, Scope } from "#base";
import { descriptorPath } from "#kernel";
import type { NamespaceMode } from "#runtime";
import type { TaskExit, TaskInput } from "#task";
import type { Parts } from "./parts.ts";

/** A program in a container of its own. */
export interface UnlistedRun extends Pick<TaskInput, "spec" | "root" | "cgroupParent" | "init"> {
  /** Reads Docker's framed stream to its end. */
  readonly deliver: (output: Readable) => Promise<void>;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a program as a container's is run, without a row, a snapshot or a log of its own. When the
 * engine is killed, the sweep of the next start finds the cgroup and ends the processes in it.
 */
export async function runUnlisted(
  parts: Parts<"tasks" | "background">,
  { deliver, signal, ...input }: UnlistedRun,
): Promise<TaskExit> {
  signal?.throwIfAborted();
  const id = newId<ContainerId>();
  await using scope = new Scope();
  scope.defer(() => parts.tasks.remove(id));
  const stdio = { mode: "pipes", stdin: false, stdinOnce: false } as const;
  const run = scope.use(await parts.tasks.create({ id, stdio, ...input }));
  const { output } = await run.attach({ stdin: false, stdout: true, stderr: true });
  const delivered = deliver(output);
  const cancel = () => void parts.background.run("cancelling a task", () => run.killAll());
  signal?.addEventListener("abort", cancel);
  try {
    // It may have fired while the task was made.
    signal?.throwIfAborted();
    await run.start();
    const exit = await run.exited;
    await delivered;
    await run.released;
    return exit;
  } finally {
    signal?.removeEventListener("abort", cancel);
  }
}

/** The network of an unlisted run, for as long as the scope: "host", "none", or one by name. */
export async function openRunNetwork(
  parts: Parts<"networks">,
  network: string,
  scope: Scope,
): Promise<NamespaceMode> {
  if (network === "host") return "host";
  if (network === "none") {
    return { path: descriptorPath(scope.use(await parts.networks.isolated())) };
  }
  const endpoint = await parts.networks.attach(network);
  scope.defer(() => parts.networks.release(endpoint));
  return { path: descriptorPath(endpoint.netns) };
}
