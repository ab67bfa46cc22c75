import { Fault, parseBytes } from "#base";
import { lackOfLimits } from "#kernel";

/** The bytes that a volume's options limit it to; undefined without a limit. */
export function sizeOf(options: Readonly<Record<string, string>> | undefined): number | undefined {
  return options?.size === undefined ? undefined : parseBytes(options.size) || undefined;
}

/** Refuses a limit where there can be none: `invalid`, in Docker's words and with the reason. */
export function requireQuotas(directory: string): void {
  const lack = lackOfLimits(directory);
  if (lack === undefined) return;
  throw new Fault("invalid", `quota size requested but no quota support: ${lack}`, {
    about: directory,
  });
}
