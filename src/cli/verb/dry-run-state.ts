import { Fault } from "#base";
import type { ContainerInspect } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { failureText } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { killFlags, startFlags, stopFlags } from "../table/containers.ts";

type NoFlags = Record<never, never>;

/** What a verb would do to a container, in words; throws what would stand in its way. */
type Look = (container: ContainerInspect, name: string) => string;

/** Says for each container what would be done to it, or why not; nothing is changed. */
export async function rehearse(
  { client, out, err }: Context,
  refs: readonly string[],
  look: Look,
): Promise<number> {
  let status = 0;
  for (const ref of refs) {
    try {
      const container = await client.containers.inspect(ref);
      await out.write(`${look(container, container.Name.replace(/^\//, ""))}\n`);
    } catch (error) {
      await err.write(`${failureText(error)}\n`);
      status = 1;
    }
  }
  return status;
}

export const start: Verb<typeof startFlags> = (context, { args }) =>
  rehearse(context, args, wouldStart);

export const stop: Verb<typeof stopFlags> = (context, { flags, args }) =>
  rehearse(context, args, wouldStop(flags));

export const restart: Verb<typeof stopFlags> = (context, { args }) =>
  rehearse(context, args, wouldRestart);

export const kill: Verb<typeof killFlags> = (context, { flags: { signal = "KILL" }, args }) =>
  rehearse(context, args, wouldKill(signal));

export const pause: Verb<NoFlags> = (context, { args }) => rehearse(context, args, wouldPause);

export const unpause: Verb<NoFlags> = (context, { args }) => rehearse(context, args, wouldUnpause);

const nothing = (name: string, state: string) =>
  `container ${name} is ${state}: nothing would be done`;

const wouldStop =
  ({ signal, timeout }: Values<typeof stopFlags>): Look =>
  ({ State, Config }, name) => {
    if (!State.Running) return nothing(name, State.Status);
    const first = signal || Config.StopSignal || "SIGTERM";
    const wait = timeout ?? Config.StopTimeout ?? 10;
    const then = wait < 0 ? "" : `, and SIGKILL after ${wait} s`;
    return `would stop container ${name}: ${first}${then}`;
  };

const wouldRestart: Look = ({ State }, name) =>
  State.Running ? `would stop and start container ${name}` : `would start container ${name}`;

const wouldStart: Look = ({ State }, name) => {
  if (State.Paused)
    throw new Fault("conflict", `container ${name} is paused: unpause it instead`, { about: name });
  return State.Running ? nothing(name, State.Status) : `would start container ${name}`;
};

const wouldKill =
  (signal: string): Look =>
  ({ State }, name) => {
    requireRunning(State, name);
    return `would send ${signal} to container ${name}`;
  };

const wouldPause: Look = ({ State }, name) => {
  requireRunning(State, name);
  if (State.Paused)
    throw new Fault("conflict", `container ${name} is paused already`, { about: name });
  return `would pause container ${name}`;
};

const wouldUnpause: Look = ({ State }, name) => {
  if (!State.Paused)
    throw new Fault("conflict", `container ${name} is not paused`, { about: name });
  return `would unpause container ${name}`;
};

/** @param flags those that were given */
export const wouldUpdate =
  (flags: readonly string[]): Look =>
  (_, name) =>
    `would change container ${name}: ${flags.join(", ")}`;

function requireRunning({ Running, Status }: ContainerInspect["State"], name: string): void {
  if (!Running)
    throw new Fault("conflict", `container ${name} is ${Status}, and does not run`, {
      about: name,
    });
}
