import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Fault } from "#base";
import type { Addon } from "../../native/addon/index.d.ts";

let path: string | undefined;
let loaded: Addon | undefined;

/**
 * Sets the addon's file, before the first system call and once in every Worker too: a release
 * has it in memory. Without this the development build is loaded. `conflict`
 * when another file is loaded already.
 */
export function useAddon(file: string): void {
  if (loaded !== undefined && path !== file)
    throw new Fault("conflict", `the addon is already loaded from ${path}, not ${file}`);
  path = file;
}

/** The file that the addon is loaded from; a Worker is told it for its own `useAddon`. */
export function addonPath(): string {
  path ??= fileURLToPath(new URL("../../native/build/addon.node", import.meta.url));
  return path;
}

/** The addon, loaded at the first call; `not_found` when its file is missing. */
export function addon(): Addon {
  loaded ??= load(addonPath());
  return loaded;
}

function load(file: string): Addon {
  if (!existsSync(file))
    throw new Fault(
      "not_found",
      `the native addon is missing at ${file}: build it with "make -C native"`,
      {
        about: file,
      },
    );
  try {
    const module: { readonly exports: object } = { exports: {} };
    process.dlopen(module, file);
    return module.exports as Addon;
  } catch (cause) {
    throw new Fault("internal", `cannot load the native addon ${file}: ${String(cause)}`, {
      about: file,
      cause,
    });
  }
}
