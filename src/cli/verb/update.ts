import type { ContainerUpdateBody } from "#container";
import type { Verb } from "../command.ts";
import { healthCheck } from "../create-health.ts";
import { restartPolicy } from "../create-host.ts";
import { failureText } from "../failure.ts";
import type { Values } from "../flag.ts";
import { keyValues } from "../key-values.ts";
import type { updateFlags } from "../table/create-flags.ts";

export const update: Verb<typeof updateFlags> = async (context, { flags, given, args }) => {
  const body = bodyOf(flags, given);
  let status = 0;
  for (const ref of args) {
    try {
      const options = keyValues(flags["log-opt"]);
      const hasOptions = Object.keys(options).length > 0;
      if (hasOptions) await context.client.containers.changeLogOptions(ref, options);
      const isMore = given.size > (hasOptions ? 1 : 0);
      const warnings = isMore ? await context.client.containers.update(ref, body) : [];
      await context.out.write(`${ref}\n`);
      for (const warning of warnings) await context.err.write(`${warning}\n`);
    } catch (error) {
      status = 1;
      await context.err.write(`${failureText(error)}\n`);
    }
  }
  return status;
};

export const rehearseUpdate: Verb<typeof updateFlags> = async (context, { flags, given, args }) => {
  const changed = given.difference(new Set(["dry-run"]));
  bodyOf(flags, changed);
  const { rehearse, wouldUpdate } = await import("./dry-run-state.ts");
  return await rehearse(context, args, wouldUpdate([...changed].map((name) => `--${name}`)));
};

function bodyOf(
  flags: Values<typeof updateFlags>,
  given: ReadonlySet<string>,
): ContainerUpdateBody {
  if (given.size === 0)
    throw new Error("you must provide one or more flags when using this command");
  return {
    BlkioWeight: flags["blkio-weight"],
    CpuRealtimePeriod: flags["cpu-rt-period"],
    CpuRealtimeRuntime: flags["cpu-rt-runtime"],
    CpuShares: flags["cpu-shares"],
    CpuPeriod: flags["cpu-period"],
    CpuQuota: flags["cpu-quota"],
    CpusetCpus: flags["cpuset-cpus"],
    CpusetMems: flags["cpuset-mems"],
    NanoCpus: flags.cpus,
    Memory: flags.memory,
    MemoryReservation: flags["memory-reservation"],
    MemorySwap: flags["memory-swap"],
    // 0 would be the same as not asked for.
    PidsLimit: flags["pids-limit"] === 0 ? -1 : flags["pids-limit"],
    RestartPolicy: flags.restart === undefined ? undefined : restartPolicy(flags.restart, false),
    ...healthCheck(flags),
  };
}
