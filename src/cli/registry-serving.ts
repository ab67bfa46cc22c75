import type { CredentialLookup, Sink } from "./context.ts";

type Texts = readonly string[];

interface BucketOptions {
  readonly s3: string | undefined;
  readonly s3Endpoint: string | undefined;
  readonly s3Region: string | undefined;
}

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
    options: BucketOptions & {
      readonly address: string;
      readonly root: string;
      readonly hostNames: Texts;
      readonly htpasswd: string | undefined;
      readonly access: string | undefined;
      readonly token: boolean;
      readonly tokenService: string | undefined;
      readonly tokenRealm: string | undefined;
      readonly tokenIssuer: string | undefined;
      readonly tokenCerts: string | undefined;
      readonly tlsCert: string | undefined;
      readonly tlsKey: string | undefined;
      readonly tlsOwn: boolean;
      readonly tlsNames: Texts;
      readonly proxy: Texts;
      readonly proxyLogin: boolean;
      readonly proxySeconds: number | undefined;
      readonly proxyBytes: number | undefined;
      readonly metrics: string | undefined;
      readonly web: boolean;
      readonly gcSeconds: number | undefined;
      readonly graceSeconds: number | undefined;
      readonly deleteUntagged: boolean;
      readonly logLevel: "debug" | "info" | "warn" | "error";
    },
  ): Promise<number>;
  collect(
    options: BucketOptions & {
      readonly root: string;
      readonly dryRun: boolean;
      readonly deleteUntagged: boolean;
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
