import { isFault } from "#base";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import type { killFlags, rmFlags, stateFlags, stopFlags } from "../table/containers.ts";
import type { Look } from "./dry-run-state.ts";

type NoFlags = Record<never, never>;

/**
 * Does the same to each container, side by side; prints each name that went well and each failure, in order.
 * The status is 1 after a failure, unless all were such as may be.
 */
export async function forEach(
  context: Context,
  refs: readonly string[],
  work: (ref: string) => Promise<unknown>,
  mayBe: (error: unknown) => boolean = () => false,
): Promise<number> {
  const results = refs.map(async (ref) => {
    await work(ref);
    return ref;
  });
  let status = 0;
  for (const result of results) result.catch(() => undefined);
  for (const result of results) {
    try {
      await context.out.write(`${await result}\n`);
    } catch (error) {
      if (!mayBe(error)) status = 1;
      await context.err.write(`${failureText(error)}\n`);
    }
  }
  return status;
}

/** The same to each container, or with --dry-run what that would do. */
async function changeEach(
  context: Context,
  { flags, args }: { readonly flags: { "dry-run": boolean }; readonly args: readonly string[] },
  change: {
    readonly work: (ref: string) => Promise<unknown>;
    readonly would: () => Promise<Look>;
  },
): Promise<number> {
  if (!flags["dry-run"]) return await forEach(context, args, change.work);
  const { rehearse } = await import("./dry-run-state.ts");
  return await rehearse(context, args, await change.would());
}

export const stop: Verb<typeof stopFlags> = (context, invocation) =>
  changeEach(context, invocation, {
    work: (ref) => context.client.containers.stop(ref, invocation.flags),
    would: async () => (await import("./dry-run-state.ts")).wouldStop(invocation.flags),
  });

export const restart: Verb<typeof stopFlags> = (context, invocation) =>
  changeEach(context, invocation, {
    work: (ref) => context.client.containers.restart(ref, invocation.flags),
    would: async () => (await import("./dry-run-state.ts")).wouldRestart,
  });

export const kill: Verb<typeof killFlags> = (context, invocation) => {
  const { signal = "KILL" } = invocation.flags;
  return changeEach(context, invocation, {
    work: (ref) => context.client.containers.kill(ref, signal),
    would: async () => (await import("./dry-run-state.ts")).wouldKill(signal),
  });
};

export const pause: Verb<typeof stateFlags> = (context, invocation) =>
  changeEach(context, invocation, {
    work: (ref) => context.client.containers.pause(ref),
    would: async () => (await import("./dry-run-state.ts")).wouldPause,
  });

export const unpause: Verb<typeof stateFlags> = (context, invocation) =>
  changeEach(context, invocation, {
    work: (ref) => context.client.containers.unpause(ref),
    would: async () => (await import("./dry-run-state.ts")).wouldUnpause,
  });

export const rm: Verb<typeof rmFlags> = async (context, invocation) => {
  const { flags, args } = invocation;
  if (flags["dry-run"]) return (await import("./dry-run.ts")).rm(context, invocation);
  const remove = async (ref: string) => {
    const name = ref.replace(/^\/+/, "").replace(/\/+$/, "");
    if (name === "") throw new Error("Container name cannot be empty");
    await context.client.containers.remove(name, flags);
  };
  return forEach(context, args, remove, (error) => flags.force && isFault(error, "not_found"));
};

export const rename: Verb<NoFlags> = async (context, { args }) => {
  const [from = "", to = ""] = args.map((arg) => arg.trim());
  if (from === "" || to === "") throw new Error("Error: Neither old nor new names may be empty");
  try {
    await context.client.containers.rename(from, to);
  } catch (error) {
    throw new Exit(1, `${failureText(error)}\nError: failed to rename container named ${from}`);
  }
  return 0;
};

export const wait: Verb<NoFlags> = async (context, { args }) => {
  let status = 0;
  for (const ref of args) {
    try {
      const { result } = await context.client.containers.wait(ref, "not-running");
      await context.out.write(`${(await result).StatusCode}\n`);
    } catch (error) {
      status = 1;
      await context.err.write(`${failureText(error)}\n`);
    }
  }
  return status;
};
