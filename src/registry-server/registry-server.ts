import type { Clock, Log } from "#base";
import type { Digest } from "#image";
import type { ObjectStore } from "./object-store.ts";

/** The registry to serve. */
export interface RegistryServerOptions {
  /** Port 0 takes a free one; `RegistryServer.url` tells. */
  readonly address: { readonly host: string; readonly port: number };
  /** Owned by one server at a time: leases and locks are in its memory. */
  readonly store: ObjectStore;
  /** Without an authorizer everybody may do everything. */
  readonly authorizer?: Authorizer;
  /** PEM. Without it plain http is spoken. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /**
   * Makes the registry a pull-through cache: missing objects are fetched and kept; pushing is
   * refused.
   */
  readonly upstream?: Upstream;
  /** Further names by which clients reach a server on loopback, as those of a proxy before it. */
  readonly hostNames?: readonly string[];
  /** Asked in order about every path outside /v2/, never about one inside. */
  readonly handlers?: readonly ExtraHandler[];
  /** Told of every answered request; it must not throw and must be quick. */
  readonly observe?: (request: RequestObservation) => void;
  readonly log?: Log;
  readonly clock?: Clock;
  readonly gc?: CollectOptions & {
    /** Seconds between two collections; 0: only when asked. Default 0. */
    readonly intervalSeconds?: number;
  };
  readonly limits?: Partial<ServerLimits>;
}

/** Bounds on what clients may do; numbers that are left out have their defaults. */
export interface ServerLimits {
  /** Bytes of one blob. Default 1 TiB. */
  readonly blobBytes: number;
  /** Seconds without a byte from or to a client until its connection is cut; at most 255. Default 60. */
  readonly idleSeconds: number;
  /** Uploads that receive bytes at the same time; more are answered 429. Default 256. */
  readonly activeUploads: number;
}

/** The objects that a collection removes. */
export interface CollectOptions {
  /**
   * How long an object to which nothing refers is kept, in seconds since it was written and since a client was
   * last told that it exists. It must exceed the time from a push's first blob to its manifest. Default 3,600.
   */
  readonly graceSeconds?: number;
  /** Also removes manifests that no tag, no index and no subject leads to. Default false, as docker-registry. */
  readonly deleteUntagged?: boolean;
  /** Age at which an upload without progress is abandoned. Default 86,400. */
  readonly uploadSeconds?: number;
}

/** The numbers of objects that a collection removed and kept. */
export interface GcReport {
  readonly blobs: number;
  /** The size of the blobs that were removed. */
  readonly bytes: number;
  /** Links of repositories to blobs that their manifests do not need. */
  readonly links: number;
  /** Only with `deleteUntagged`. */
  readonly manifests: number;
  readonly uploads: number;
  /** The objects to which a manifest or tag refers. */
  readonly kept: { readonly blobs: number; readonly manifests: number };
  readonly seconds: number;
}

/** A registry that answers. */
export interface RegistryServer extends AsyncDisposable {
  /** "http://127.0.0.1:5000", without a slash at the end. */
  readonly url: string;
  readonly catalogue: Catalogue;
  /** Collects now; while one runs, its report is awaited and shared. Nothing is refused meanwhile. */
  collect(options?: CollectOptions): Promise<GcReport>;
  /** Stops listening, gives requests `seconds` (default 5) to end, cuts the rest. Unfinished uploads can be resumed later. */
  close(options?: { readonly seconds?: number }): Promise<void>;
}

/**
 * pull: GET and HEAD within a repository; push: uploads and manifests; delete; catalog: the list of
 * repositories.
 */
export type RegistryAction = "pull" | "push" | "delete" | "catalog";

/** The facts about a request on which access depends. */
export interface AuthorizationRequest {
  readonly method: string;
  /** Undefined for the ping (no actions: any valid identity) and for the catalogue (action "catalog"). */
  readonly repository: string | undefined;
  /** All of them are needed. */
  readonly actions: readonly RegistryAction[];
  /** The header as it came. */
  readonly authorization: string | undefined;
  /** The client's address without its port. */
  readonly remote: string;
  /** Scheme and host as the client named them, for realms of challenges: "https://registry.example:5000". */
  readonly origin: string;
}

export type Authorization =
  | { readonly ok: true; readonly subject?: string }
  | {
      readonly ok: false;
      /** 401: who are you (answered UNAUTHORIZED with the challenge); 403: not you (DENIED); 429: too many tries (TOOMANYREQUESTS). */
      readonly status: 401 | 403 | 429;
      /** The value of WWW-Authenticate; required with 401 (RFC 9110, 11.6.1). */
      readonly challenge?: string;
      /** Seconds, for Retry-After. */
      readonly retryAfter?: number;
    };

/** Decides whether a request is allowed. */
export interface Authorizer {
  /**
   * Asked once per request, and once more with "pull" for the repository that a blob is mounted
   * from. A throw is answered 500, and the request is not carried out.
   */
  authorize(request: AuthorizationRequest): Promise<Authorization>;
}

/** The registry that a pull-through cache stands before. */
export interface Upstream {
  /**
   * By tag or digest. `not_found` when the upstream lacks it; after any other fault the cache
   * answers from its own objects. The bytes have the digest (checked again here).
   */
  manifest(
    repository: string,
    reference: string,
    options?: { readonly signal?: AbortSignal },
  ): Promise<UpstreamManifest>;
  /** The stream may be of the wrong length or content: it is checked here before it is kept. */
  blob(
    repository: string,
    digest: Digest,
    options?: { readonly signal?: AbortSignal },
  ): Promise<UpstreamBlob>;
  /** Seconds for which a tag that was just resolved is not asked about again. Default 0: always ask. */
  readonly tagSeconds?: number;
}

/** A manifest that the upstream has. */
export interface UpstreamManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** A blob that the upstream sends; `size` in bytes, as it promised. */
export interface UpstreamBlob {
  readonly size: number;
  readonly stream: AsyncIterable<Uint8Array>;
}

/** Serves other paths than /v2/: a web page, metrics, tokens. */
export interface ExtraHandler {
  /** Undefined: not mine. A throw is answered 500. Bodies are limited to 64 KiB before it is called. */
  handle(
    request: Request,
    context: HandlerContext,
  ): Promise<Response | undefined> | Response | undefined;
}

/** The facts about a request, and the registry behind it. */
export interface HandlerContext {
  readonly remote: string;
  readonly origin: string;
  readonly url: URL;
  readonly catalogue: Catalogue;
  /**
   * The server's authorizer, for handlers that show the registry's content; without one everything
   * is allowed.
   */
  authorize(
    repository: string | undefined,
    actions: readonly RegistryAction[],
  ): Promise<Authorization>;
}

/**
 * The registry's content, for pages and metrics. `invalid` for a malformed name, `not_found` for a
 * missing object.
 */
export interface Catalogue {
  /**
   * At most `limit` (default 100, at most 1,000) names after `after`; a parent comes before the
   * names below it.
   */
  repositories(options?: PageOptions): Promise<readonly string[]>;
  /** Ascending by bytes; limits as of `repositories`. */
  tags(repository: string, options?: PageOptions): Promise<readonly string[]>;
  /** A manifest or index by tag or digest, with the digest of its bytes. */
  manifest(
    repository: string,
    reference: string,
  ): Promise<{ readonly bytes: Buffer; readonly mediaType: string; readonly digest: Digest }>;
  /** Descriptors of the manifests that refer to a manifest, as in the referrers API. */
  referrers(repository: string, subject: Digest): Promise<readonly ReferrerDescriptor[]>;
}

/** A part of a long list. */
export interface PageOptions {
  readonly after?: string;
  readonly limit?: number;
}

/** image-spec descriptor.md. */
export interface ReferrerDescriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly size: number;
  readonly artifactType?: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** An answered request, for metrics and logs; `received` and `sent` in bytes. */
export interface RequestObservation {
  readonly method: string;
  /**
   * The kind of request, of which there are few enough for a metric's label. "other" stands for
   * unknown routes.
   */
  readonly route: RouteName;
  readonly status: number;
  /** Until the answer's headers were ready (an upload's body is read by then, a download's is not sent). */
  readonly seconds: number;
  /** The bytes of the request's body that were taken in, and of the answer's that were promised. */
  readonly received: number;
  readonly sent: number;
}

export type RouteName =
  | "base"
  | "catalog"
  | "tags"
  | "manifest"
  | "referrers"
  | "blob"
  | "upload"
  | "extra"
  | "other";
