import { writeFileSync } from "node:fs";
import { faultOf, type Log } from "#base";

/**
 * As dockerd's unit file has it: below every container, above the parts that the system cannot be
 * without.
 */
const score = -500;

/**
 * Has the kernel spare the engine when memory is short (proc_pid_oom_score_adj(5)), where
 * CAP_SYS_RESOURCE allows that. Containers do not inherit it: every plan names a score.
 */
export function lowerOomScore(log: Log): void {
  try {
    writeFileSync("/proc/self/oom_score_adj", `${score}`);
  } catch (error) {
    log.debug("the engine's oom score stays as it is", { error: faultOf(error).message });
  }
}
