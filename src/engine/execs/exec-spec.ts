import { isDeepStrictEqual } from "node:util";
import { defined, Fault } from "#base";
import { type ContainerSpecInput, containerSpec } from "#container";
import type { Machine } from "#runtime";
import type { ExecInput } from "#task";
import type { ContainerRecord } from "../containers/container-record.ts";
import { hostnameOf } from "../containers/hostname.ts";
import { unopened } from "../containers/task-input.ts";
import type { ResolvedUser } from "../containers/user.ts";
import type { ExecRequest } from "../contract.ts";

interface DescribedExec extends Pick<ContainerRecord, "host"> {
  readonly request: ExecRequest;
  readonly user: ResolvedUser;
  readonly spec: ExecSpec;
}

/** The parts of a configuration that an exec has of its own. */
type ExecSpec = Pick<ExecInput, "process" | "seccomp">;

/** The last ones of each container: probes and scripts make the same requests again and again. */
const described = new WeakMap<ContainerRecord["config"], readonly DescribedExec[]>();
const remembered = 4;

/**
 * The container's configuration with the exec's program, as Docker combines them. One of the last
 * requests to a container that has not changed has the same answer, the very object.
 */
export function execSpec(
  machine: Machine,
  record: ContainerRecord,
  { request, user }: { readonly request: ExecRequest; readonly user: ResolvedUser },
): ExecSpec {
  const { config, host } = record;
  const known = described.get(config) ?? [];
  const same = known.find(
    (each) =>
      each.host === host &&
      isDeepStrictEqual(each.request, request) &&
      isDeepStrictEqual(each.user, user),
  );
  if (same) return same.spec;
  const spec = describeExec(machine, record, { request, user });
  described.set(config, [{ host, request, user, spec }, ...known.slice(0, remembered - 1)]);
  return spec;
}

function describeExec(
  machine: Machine,
  record: ContainerRecord,
  { request, user }: { readonly request: ExecRequest; readonly user: ResolvedUser },
): ExecSpec {
  checkProcess(request);
  const { config, host } = record;
  const input: ContainerSpecInput = {
    config: {
      ...config,
      Tty: request.tty,
      Env: [...config.Env, ...request.env],
      WorkingDir: request.workingDir || config.WorkingDir,
    },
    host,
    argv: request.argv,
    user,
    hostname: hostnameOf(record),
    files: record.files,
    joined: unopened,
    machine,
  };
  const own = containerSpec(input);
  // As Docker: all capabilities, but the container's own filter stays.
  const { process } = request.privileged
    ? containerSpec({ ...input, host: { ...host, Privileged: true } })
    : own;
  if (!process) throw new Fault("internal", "the configuration of an exec has no process");
  return { process, ...defined({ seccomp: own.linux?.seccomp }) };
}

/** Checks that runc makes before it makes a process. */
function checkProcess({ workingDir, env }: ExecRequest): void {
  if (workingDir !== "" && !workingDir.startsWith("/")) {
    throw new Fault("invalid", `the working directory ${workingDir} is not an absolute path`, {
      about: workingDir,
      stage: "cwd",
    });
  }
  if (env.some((variable) => variable.startsWith("="))) {
    throw new Fault("invalid", "invalid environment variable: name cannot be empty", {
      stage: "environment",
    });
  }
}
