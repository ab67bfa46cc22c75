import type { Log } from "#base";
import type { BuildKit } from "#buildkit";
import type { Engine } from "#engine";
import type { Schemas } from "#wire";

/** The means of every handler. */
export interface ApiContext {
  readonly engine: Engine;
  readonly log: Log;
  /** The version of thimble. */
  readonly version: string;
  readonly schemas: Schemas;
  /** Milliseconds between two messages of a container's usage; a second, as in Docker, when absent. */
  readonly statsInterval?: number;
  /** BuildKit's protocol; absent: its clients are refused. */
  readonly buildkit?: BuildKit;
  readonly describePlan?: (plan: Uint8Array, format: "json" | "text") => string;
}
