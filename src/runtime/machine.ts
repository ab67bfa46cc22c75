import { readFileSync } from "node:fs";
import { capabilities, overlayTakesLowerdirPlus } from "#kernel";
import type { Cgroups } from "./cgroup/cgroups.ts";
import { resourceLimitNames, unlimited } from "./rlimit.ts";

/** The abilities of this machine and process on which a plan depends. */
export interface Machine {
  /**
   * The capabilities that can be handed to a container: permitted and in the bounding set; bit n is
   * capability n.
   */
  readonly capabilities: bigint;
  /** Overlay takes one `lowerdir+` option per layer (Linux 6.8). */
  readonly lowerdirPlus: boolean;
  readonly cgroupVersion: 1 | 2;
  /** Cgroups can have shares of block devices; absent: not. */
  readonly blockWeights?: boolean;
  /**
   * This process's hard limits by name ("RLIMIT_NOFILE"); a resource that is absent is unlimited.
   */
  readonly hardLimits?: Readonly<Record<string, bigint>>;
}

/** Reads what compilePlan needs to know of this machine, once at engine start. */
export function readMachine(cgroups: Pick<Cgroups, "version" | "hasBlockWeights">): Machine {
  const { permitted, bounding } = capabilities();
  return {
    capabilities: permitted & bounding,
    lowerdirPlus: overlayTakesLowerdirPlus(),
    cgroupVersion: cgroups.version,
    blockWeights: cgroups.hasBlockWeights(),
    hardLimits: parseHardLimits(readFileSync("/proc/self/limits", "utf8")),
  };
}

/** The hard limits of /proc/PID/limits (proc(5)), whose lines stand in no promised order. */
export function parseHardLimits(text: string): Record<string, bigint> {
  const limits: Record<string, bigint> = {};
  for (const line of text.split("\n")) {
    const match = /^Max (.+?) {2,}(\S+) +(\S+)/.exec(line);
    const name = match?.[1] && resourceLimitNames.get(match[1]);
    const hard = match?.[3];
    if (name && hard) limits[name] = hard === "unlimited" ? unlimited : BigInt(hard);
  }
  return limits;
}
