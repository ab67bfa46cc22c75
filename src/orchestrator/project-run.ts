import type { Client } from "#client";
import type { HookOutput } from "./hooks.ts";
import type { Report } from "./progress.ts";

/** What carrying out a plan needs beside the plan. */
export interface Run {
  readonly client: Client;
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Variables of the project's files, from which secrets and configs may come. */
  readonly environment: ReadonlyMap<string, string>;
  /** Variables that every container has unless its service sets them, as those of a proxy. */
  readonly proxies: Readonly<Record<string, string>>;
  /** The image of a service, as it is stored; "" where it is not known. */
  readonly imageId: (service: string) => string;
  readonly readFile: (path: string) => Promise<Uint8Array>;
  readonly onHookOutput?: (container: string) => HookOutput;
  /** Seconds before SIGKILL; absent for each container's own. */
  readonly timeout?: number | undefined;
  /** A container that is made anew keeps volumes without a name. */
  readonly keepsVolumes: boolean;
}

/** A container of a service that is there when the plan has been carried out. */
export interface RunContainer {
  readonly id: string;
  readonly name: string;
  isRunning: boolean;
  /** It ended with status 0 before. */
  readonly hasCompleted: boolean;
}

/** Waits for all, and fails with what failed first. */
export async function all(work: readonly Promise<unknown>[]): Promise<void> {
  const results = await Promise.allSettled(work);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}
