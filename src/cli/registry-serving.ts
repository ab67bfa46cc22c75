import type { CredentialSource } from "#base";
import type { Sink } from "./context.ts";
import type { Values } from "./flag.ts";
import type { registryCollectFlags, registryServeFlags } from "./table/registry-server.ts";

/** The settings of a command that serves a registry. */
export interface ServingCommandContext {
  readonly out: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's own, for upstreams of a cache. */
  readonly credentials: CredentialSource;
}

type Required = { readonly addr: string; readonly root: string };

/** The options of `registry serve` by the names of its flags; durations in nanoseconds, sizes in bytes. All but the address and the root may be left out. */
export type ServedRegistry = Partial<Values<typeof registryServeFlags>> & Required;

/** The options of `registry gc`, likewise. */
export type CollectedRegistry = Values<typeof registryCollectFlags> & Pick<Required, "root">;

/** Keeping and serving a registry without an engine; each gives the exit status. */
export interface RegistryServing {
  /** Serves until SIGTERM or SIGINT. */
  serve(options: ServedRegistry): Promise<number>;
  /** Removes what nothing refers to from a registry that is not being served. */
  collect(options: CollectedRegistry): Promise<number>;
  /** Without a password the user is removed. */
  setPassword(options: {
    readonly file: string;
    readonly user: string;
    readonly password: string | undefined;
  }): Promise<number>;
}
