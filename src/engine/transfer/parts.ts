import type { Parts } from "../parts.ts";

/** The parts that pull, push and the other verbs that speak to registries touch. */
export type TransferParts = Parts<"content" | "registry" | "trust" | "events">;
