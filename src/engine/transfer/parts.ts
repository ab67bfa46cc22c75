import type { Parts } from "../parts.ts";

/** What pull, push and the other verbs that speak to registries touch. */
export type TransferParts = Parts<"content" | "registry" | "trust" | "events">;
