import type { Executor } from "#rootfs";
import type { Images } from "./contract.ts";
import type { EngineParts } from "./parts.ts";

export function createImages(_parts: EngineParts, _executor: Executor): Images {
  return {} as Images;
}
