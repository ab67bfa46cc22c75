import { Fault } from "#base";
import type { ContainerInspect } from "#wire";
import type { Context } from "../context.ts";
import { failureText } from "../failure.ts";

/** What a verb would do to a container, in words; throws what would stand in its way. */
export type Look = (container: ContainerInspect, name: string) => string;

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

const nothing = (name: string, state: string) =>
  `container ${name} is ${state}: nothing would be done`;

export const wouldStop =
  ({
    signal,
    timeout,
  }: {
    readonly signal?: string | undefined;
    readonly timeout?: number | undefined;
  }): Look =>
  ({ State, Config }, name) => {
    if (!State.Running) return nothing(name, State.Status);
    const first = signal || Config.StopSignal || "SIGTERM";
    const wait = timeout ?? Config.StopTimeout ?? 10;
    const then = wait < 0 ? "" : `, and SIGKILL after ${wait} s`;
    return `would stop container ${name}: ${first}${then}`;
  };

export const wouldRestart: Look = ({ State }, name) =>
  State.Running ? `would stop and start container ${name}` : `would start container ${name}`;

export const wouldStart: Look = ({ State }, name) => {
  if (State.Paused)
    throw new Fault("conflict", `container ${name} is paused: unpause it instead`, { about: name });
  return State.Running ? nothing(name, State.Status) : `would start container ${name}`;
};

export const wouldKill =
  (signal: string): Look =>
  ({ State }, name) => {
    requireRunning(State, name);
    return `would send ${signal} to container ${name}`;
  };

export const wouldPause: Look = ({ State }, name) => {
  requireRunning(State, name);
  if (State.Paused)
    throw new Fault("conflict", `container ${name} is paused already`, { about: name });
  return `would pause container ${name}`;
};

export const wouldUnpause: Look = ({ State }, name) => {
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
