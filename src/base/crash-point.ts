const variable = "THIMBLE_CRASH_AT";

/**
 * Kills this very process with SIGKILL when the environment names the step; otherwise
 * nothing. A module lists its steps, and the crash tests kill it at each of them.
 */
export function crashHere(step: string): void {
  if (process.env[variable] === step) process.kill(process.pid, "SIGKILL");
}
