import { resolve } from "node:path";

export interface Roots {
  /** What lasts. */
  readonly dataRoot: string;
  /** What a reboot may take. */
  readonly runRoot: string;
}

/** Where an engine keeps its things: as told, else as THIMBLE_DATA_ROOT and THIMBLE_RUN_ROOT say, else as distributions expect. Absolute; an empty text counts as none. */
export function roots(
  env: Readonly<Record<string, string | undefined>>,
  told: { readonly dataRoot?: string | undefined; readonly runRoot?: string | undefined } = {},
): Roots {
  return {
    dataRoot: resolve(told.dataRoot || env.THIMBLE_DATA_ROOT || "/var/lib/thimble"),
    runRoot: resolve(told.runRoot || env.THIMBLE_RUN_ROOT || "/run/thimble"),
  };
}
