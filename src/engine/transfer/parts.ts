import type { EngineParts } from "../parts.ts";

/** What pull, push and the other verbs that speak to registries need of an engine. */
export type TransferParts = Pick<EngineParts, "content" | "registry" | "trust" | "events">;
