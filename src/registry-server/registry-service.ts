import type { Log } from "#base";
import type { RegistryClient } from "#registry-client";
import type { ExternalIssuer } from "./auth/index.ts";
import type { CollectOptions, GcReport } from "./registry-server.ts";
import type { S3StoreOptions } from "./s3/index.ts";

export type { ExternalIssuer } from "./auth/index.ts";
export type { S3StoreOptions } from "./s3/index.ts";

/** A registry with all that belongs to it, as `thimble registry serve` has it. */
export interface RegistryServiceOptions {
  readonly address: { readonly host: string; readonly port: number };
  /** The directory of the objects, unless they are in a bucket; ROOT/thimble always has the registry's keys, certificates and lock. */
  readonly root: string;
  readonly version: string;
  /** See `RegistryServerOptions.hostNames`. */
  readonly hostNames?: readonly string[];
  readonly log: Log;
  readonly s3?: S3StoreOptions;
  /** Users and bcrypt hashes. Without this, an access file or an issuer everybody may do everything. */
  readonly passwordFile?: string;
  readonly accessFile?: string;
  /** Gives tokens to the users, for the registry of this name. */
  readonly tokenService?: string;
  readonly issuer?: ExternalIssuer;
  /** Files of the user's own, or further names for a certificate by an authority of our own. */
  readonly tls?:
    | { readonly certFile: string; readonly keyFile: string }
    | { readonly ownNames: readonly string[] };
  readonly proxy?: ProxyOptions;
  /** An address of their own, or /metrics for users who may list all repositories. */
  readonly metrics?: { readonly host: string; readonly port: number } | "shared";
  /** Pages for people at /. */
  readonly web: boolean;
  readonly gc?: CollectOptions & { readonly intervalSeconds?: number };
}

/** The registries that this one is a cache of. */
export interface ProxyOptions {
  /** See `parseUpstream`. */
  readonly upstreams: readonly string[];
  /** Made with the hosts that are to be spoken to in plain http. */
  client(options: { readonly insecure: readonly string[] }): RegistryClient;
  readonly tagSeconds: number;
  /** Bytes of blobs that are kept; absent: no bound. */
  readonly maxBytes?: number;
}

/** A registry that answers, with all that belongs to it. */
export interface RegistryService extends AsyncDisposable {
  readonly url: string;
  readonly metricsUrl?: string;
  /** Its numbers in Prometheus' text format; also without an address for them. */
  renderMetrics(): string;
  /** Where clients find the authority that they are to trust, when it is our own. */
  readonly authorityFile?: string;
  /** Collects now, as `RegistryServer.collect`. */
  collect(options?: CollectOptions): Promise<GcReport>;
  /** Accepts nothing any more; requests that run may end first. */
  close(): Promise<void>;
}
