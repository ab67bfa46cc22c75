import type { CredentialLookup, Sink } from "./context.ts";
import type { servedBy } from "./verb/registry-serve.ts";

type ServedRegistry = ReturnType<typeof servedBy>;

/** What serving a registry is given. */
export interface ServingCommandContext {
  readonly out: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's own, for upstreams of a cache. */
  readonly credentials: CredentialLookup;
}

/** Keeping and serving a registry without an engine; each gives the exit status. */
export interface RegistryServing {
  serve(
    options: ServedRegistry & { readonly logLevel: "debug" | "info" | "warn" | "error" },
  ): Promise<number>;
  collect(
    options: Pick<ServedRegistry, "root" | "s3" | "s3Endpoint" | "s3Region" | "deleteUntagged"> & {
      readonly dryRun: boolean;
      readonly graceSeconds: number;
      readonly json: boolean;
    },
  ): Promise<number>;
  setPassword(options: {
    readonly file: string;
    readonly user: string;
    readonly password: string | undefined;
  }): Promise<number>;
}
