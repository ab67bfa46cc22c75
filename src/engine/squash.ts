import { Fault } from "#base";
import type { Progress } from "./contract.ts";
import type { SquashRequest, SquashResult } from "./explain-contract.ts";
import type { EngineParts } from "./parts.ts";

/** Merges layers of an image into one and names the result. */
export async function squashImage(
  parts: EngineParts,
  request: SquashRequest & { readonly ref: string },
  report: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<SquashResult> {
  signal.throwIfAborted();
  report({ status: `Looking at ${parts.content.resolve(request.ref).id}` });
  throw new Fault("unsupported", "layers cannot be merged yet");
}
