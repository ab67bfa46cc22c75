import type { EngineParts } from "../parts.ts";

/** What the verbs of images need of an engine. */
export type ImageParts = Pick<
  EngineParts,
  "paths" | "clock" | "content" | "snapshots" | "store" | "events"
>;
