import type { Parts } from "../parts.ts";

/** The parts that the verbs of images touch. */
export type ImageParts = Parts<"paths" | "clock" | "content" | "snapshots" | "store" | "events">;
