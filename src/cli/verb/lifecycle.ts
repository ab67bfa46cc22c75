import { isFault } from "#base";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit, failureText } from "../failure.ts";
import type { killFlags, rmFlags, stopFlags } from "../table/containers.ts";

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

export const stop: Verb<typeof stopFlags> = (context, { flags, args }) =>
  forEach(context, args, (ref) => context.client.containers.stop(ref, flags));

export const restart: Verb<typeof stopFlags> = (context, { flags, args }) =>
  forEach(context, args, (ref) => context.client.containers.restart(ref, flags));

export const kill: Verb<typeof killFlags> = (context, { flags: { signal = "KILL" }, args }) =>
  forEach(context, args, (ref) => context.client.containers.kill(ref, signal));

export const pause: Verb<NoFlags> = (context, { args }) =>
  forEach(context, args, (ref) => context.client.containers.pause(ref));

export const unpause: Verb<NoFlags> = (context, { args }) =>
  forEach(context, args, (ref) => context.client.containers.unpause(ref));

export const rm: Verb<typeof rmFlags> = async (context, { flags, args }) => {
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
