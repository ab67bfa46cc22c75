import { createHash } from "node:crypto";
import { resolve } from "node:path";

export interface Roots {
  /** Files that last. */
  readonly dataRoot: string;
  /** Files that a reboot may take. */
  readonly runRoot: string;
  /** The administrator's files; the directory need not exist. */
  readonly configRoot: string;
}

type Told = { readonly [K in keyof Roots]?: string | undefined };

/**
 * The directories of an engine: as given, else as THIMBLE_DATA_ROOT, THIMBLE_RUN_ROOT and
 * THIMBLE_CONFIG_ROOT say, else as distributions expect. Absolute; an empty text counts as absent.
 */
export function roots(env: Readonly<Record<string, string | undefined>>, told: Told = {}): Roots {
  return {
    dataRoot: resolve(told.dataRoot || env.THIMBLE_DATA_ROOT || "/var/lib/thimble"),
    runRoot: resolve(told.runRoot || env.THIMBLE_RUN_ROOT || "/run/thimble"),
    configRoot: resolve(told.configRoot || env.THIMBLE_CONFIG_ROOT || "/etc/thimble"),
  };
}

/** Names an engine's things in the kernel; engines with different run roots never meet. */
export function instanceIdOf(runRoot: string): string {
  return createHash("sha256").update(runRoot).digest("hex").slice(0, 8);
}
