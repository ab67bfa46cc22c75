import type { EnteredStep, StepFault } from "#engine";
import { mountedOf } from "./containers.ts";

/** A step that failed, and the ids under which the client can have its files. */
export interface OfferedStep {
  readonly fault: StepFault;
  readonly step: EnteredStep;
  readonly ids: { readonly left: string; readonly initial: string };
}

const mountTypes = { bind: "BIND", document: "BIND", cache: "CACHE", tmpfs: "TMPFS" } as const;
const otherTypes = { secret: "SECRET", ssh: "SSH" } as const;
const types = { ...mountTypes, ...otherTypes };

/**
 * The detail of an error by which clients make a container of a step that failed: `Solve` of
 * solver/errdefs of moby/buildkit, with an operation of solver/pb/ops.proto, in protobuf's JSON.
 */
export function stepDetail({ step, ids }: OfferedStep) {
  const { operation, program } = step;
  const { argv: args, env, cwd, user } = program;
  const mounts = mountedOf(step);
  const others = mounts.map(() => "");
  const exec = {
    meta: { args, env, cwd, user },
    mounts: [
      { dest: "/", input: "0" },
      ...mounts.map(({ type, target: dest }) => ({ dest, input: "-1", mountType: types[type] })),
    ],
    network: operation.network === "default" ? "UNSET" : operation.network.toUpperCase(),
    security: operation.security.toUpperCase(),
  };
  return {
    inputIDs: [ids.initial, ...others],
    mountIDs: [ids.left, ...others],
    op: { exec },
  };
}
