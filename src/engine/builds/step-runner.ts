import { defined, faultOf, Scope } from "#base";
import type { StepExit, StepRunner, StepTask } from "#build";
import { readFrames } from "../containers/demultiplex.ts";
import { describeStartFailure } from "../containers/start-failure.ts";
import { lookupUser } from "../containers/user-lookup.ts";
import { runUnlisted } from "../unlisted-run.ts";
import { lackOf } from "./emulation.ts";
import { findMountStubs, removeMountStubs } from "./mount-stubs.ts";
import { openPlace, type StepParts, stepSpec } from "./step-place.ts";
import { openSandbox } from "./step-sandbox.ts";

/** Runs the steps of builds as containers are run, with their defaults. */
export function createStepRunner(parts: StepParts): StepRunner {
  return {
    run: (task) => runStep(parts, task),
    open: (place) => openSandbox(parts, place),
    lack: lackOf,
    ownerOf: async (snapshot, user) => {
      // As BuildKit: a number without a group is the group's number too.
      if (/^\d+$/.test(user)) return { uid: Number(user), gid: Number(user) };
      return await lookupUser(parts.snapshots, snapshot, { user, groupAdd: [] });
    },
  };
}

async function runStep(parts: StepParts, task: StepTask): Promise<StepExit> {
  const { snapshot, signal, onOutput } = task;
  signal.throwIfAborted();
  await using scope = new Scope();
  const opened = await openPlace(parts, task, scope);
  const { root, limits } = opened;
  const spec = await stepSpec(parts, opened, { ...task, terminal: false });
  const targets = opened.mounts.map(({ destination }) => destination);
  const stubs = await findMountStubs(parts.snapshots, snapshot, targets);
  const exit = await runUnlisted(parts, {
    ...{ spec, root, init: false, signal },
    ...defined({ cgroupParent: limits.cgroupParent }),
    deliver: async (output) => {
      for await (const { stream, data } of readFrames(output)) {
        onOutput(stream === "stderr" ? 2 : 1, data);
      }
    },
  }).catch((error: unknown) => {
    throw describeStartFailure(faultOf(error), task.argv[0] ?? "").fault;
  });
  signal.throwIfAborted();
  await removeMountStubs(parts.snapshots, snapshot, stubs);
  return { exitCode: exit.exitCode, signal: exit.signal, oomKilled: exit.oomKilled };
}
