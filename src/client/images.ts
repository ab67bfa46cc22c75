import { defined } from "#base";
import type {
  DistributionInspect,
  ImageDeleteEntry,
  ImageHistoryEntry,
  ImageInspect,
  ImageSummary,
  ImagesPruneResponse,
  JsonMessage,
  PathStat,
  WireFilters,
} from "#wire";
import { type AuthConfig, encodeRegistryAuth, renderFilters } from "#wire";
import { pathStatOf } from "./path-stat.ts";
import type { Transport } from "./transport.ts";

export type MakeImage =
  | {
      readonly method: "scratch";
      readonly reference: string;
      readonly cmd?: readonly string[];
      /** SOURCE_DATE_EPOCH: seconds since 1970. */
      readonly epoch?: number | undefined;
      /** A tar of the files with the names that they have in the image. */
      readonly files: AsyncIterable<Uint8Array>;
    }
  | {
      readonly method: "debootstrap";
      readonly reference: string;
      readonly suite: string;
      readonly variant?: string | undefined;
      readonly include?: readonly string[];
      readonly mirror?: string | undefined;
      /** A path on the engine's machine. */
      readonly keyring?: string | undefined;
    };

export interface PlatformChoice {
  /** "linux/arm64"; an image for another platform is not found. */
  readonly platform?: string | undefined;
}

interface CompressionOption {
  /** The compression of all layers, as "gzip" or "zstd:19". */
  readonly compression?: string | undefined;
}

/** How to pull or push. */
export interface TransferOptions extends PlatformChoice {
  /** Credentials for the registry in the name. */
  readonly auth?: AuthConfig | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** /images of the Docker Engine API, and how thimble makes them. Every `ref` is an id, a unique prefix of one, or a reference. */
export class ImagesClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** GET /images/json, newest first. */
  list(
    options: {
      readonly all?: boolean;
      readonly digests?: boolean;
      readonly sharedSize?: boolean;
      readonly filters?: WireFilters;
    } = {},
  ): Promise<readonly ImageSummary[]> {
    const { all, digests, sharedSize, filters = {} } = options;
    const query = { all, digests, "shared-size": sharedSize, filters: renderFilters(filters) };
    return this.#transport.json({ method: "GET", path: "/images/json", query });
  }

  /** GET /images/NAME/json. */
  inspect(ref: string, options: PlatformChoice = {}): Promise<ImageInspect> {
    const query = { platform: platformJson(options) };
    return this.#transport.json({ method: "GET", path: `${at(ref)}/json`, query });
  }

  /** The steps by which it was made, the latest first. */
  history(ref: string, options: PlatformChoice = {}): Promise<readonly ImageHistoryEntry[]> {
    const query = { platform: platformJson(options) };
    return this.#transport.json({ method: "GET", path: `${at(ref)}/history`, query });
  }

  /** `target` is "name[:tag]". */
  async tag(source: string, target: string): Promise<void> {
    const { name, tag } = splitTag(target);
    // A digest is not a tag; the engine refuses it.
    const query = { repo: name, tag: tag ?? (target.includes("@") ? undefined : "latest") };
    await this.#transport.done({ method: "POST", path: `${at(source)}/tag`, query });
  }

  /** `name` without tag and digest; `tag` may be a digest, and is absent for all of them. */
  pull(
    name: string,
    tag: string | undefined,
    options: TransferOptions = {},
  ): AsyncGenerator<JsonMessage> {
    const query = { fromImage: name, tag, platform: options.platform };
    return this.#progress("/images/create", query, undefined, options);
  }

  /** What a registry has under a name; `not_found` for nothing. */
  distribution(
    name: string,
    { auth, signal }: Pick<TransferOptions, "auth" | "signal"> = {},
  ): Promise<DistributionInspect> {
    const headers = auth && { "X-Registry-Auth": encodeRegistryAuth(auth) };
    const path = `/distribution/${encodeURIComponent(name)}/json`;
    return this.#transport.json({ method: "GET", path, ...defined({ headers, signal }) });
  }

  /** Without a tag: all tags that are stored. */
  push(
    name: string,
    tag: string | undefined,
    options: TransferOptions & CompressionOption = {},
  ): AsyncGenerator<JsonMessage> {
    const platform = platformJson(options);
    const { compression } = options;
    return this.#progress(`${at(name)}/push`, { tag, platform, compression }, undefined, {
      ...options,
      auth: options.auth ?? {},
    });
  }

  /**
   * Takes a name away, and removes the image with its last one. `conflict` for an image that a
   * container uses, unless `force`.
   */
  remove(
    ref: string,
    options: {
      readonly force?: boolean;
      readonly noPrune?: boolean;
      /** As "linux/arm64". */
      readonly platforms?: readonly string[];
    } = {},
  ): Promise<readonly ImageDeleteEntry[]> {
    const { force, noPrune: noprune } = options;
    const platforms = options.platforms?.map((each) => platformJson({ platform: each }) ?? "");
    const query = { force, noprune, platforms };
    return this.#transport.json({ method: "DELETE", path: at(ref), query });
  }

  /**
   * Removes images without a name that no container uses; with `dangling=false` all that none uses.
   */
  prune(filters: WireFilters): Promise<ImagesPruneResponse> {
    const query = { filters: renderFilters(filters) };
    return this.#transport.json({ method: "POST", path: "/images/prune", query });
  }

  /** One archive of all these images. */
  async *save(
    refs: readonly string[],
    options: PlatformChoice & CompressionOption & { readonly signal?: AbortSignal } = {},
  ): AsyncGenerator<Uint8Array> {
    const { signal, compression } = options;
    const query = { names: refs, platform: platformJson(options), compression };
    const response = await this.#transport.call({
      method: "GET",
      path: "/images/get",
      query,
      signal,
    });
    yield* response.body;
  }

  /** The files at a path of an image: the path's own facts, and a tar, which must be read or closed. */
  async archive(
    ref: string,
    path: string,
    options: { readonly follow?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Uint8Array>; close(): void }> {
    const { follow, signal } = options;
    const response = await this.#transport.call({
      method: "GET",
      path: `/thimble/v1${at(ref)}/archive`,
      query: { path, follow },
      signal,
    });
    const stat = pathStatOf(response, path);
    return { stat, tar: response.body, close: () => response.close() };
  }

  /**
   * POST /images/load: takes in the images of an archive. A failure after the beginning is the last
   * message, with `error`.
   */
  load(
    archive: AsyncIterable<Uint8Array>,
    options: PlatformChoice & { readonly quiet: boolean },
  ): AsyncGenerator<JsonMessage> {
    const query = { quiet: options.quiet ? 1 : 0, platform: platformJson(options) };
    return this.#progress("/images/load", query, archive);
  }

  /** POST /images/create with a body: one tar of a root file system becomes an image. */
  import(
    archive: AsyncIterable<Uint8Array>,
    options: {
      readonly reference?: string | undefined;
      readonly message?: string | undefined;
      readonly changes?: readonly string[];
      readonly platform?: string | undefined;
      /** SOURCE_DATE_EPOCH: seconds since 1970; engines other than thimble ignore it. */
      readonly epoch?: number | undefined;
    },
  ): AsyncGenerator<JsonMessage> {
    const target = options.reference === undefined ? undefined : splitTag(options.reference);
    const query = {
      fromSrc: "-",
      repo: target?.name,
      tag: target?.tag,
      message: options.message,
      changes: options.changes,
      platform: options.platform,
      epoch: options.epoch,
    };
    return this.#progress("/images/create", query, archive);
  }

  /** Makes an image by thimble's own methods; `unsupported` when the engine is not thimble. */
  make(request: MakeImage, signal?: AbortSignal): AsyncGenerator<JsonMessage> {
    if (request.method === "scratch") {
      const { files, ...query } = request;
      return this.#progress("/thimble/v1/images/make", query, files, { signal });
    }
    return this.#progress("/thimble/v1/images/make", request, undefined, { signal });
  }

  async *#progress(
    path: string,
    query: Readonly<Record<string, string | number | readonly string[] | undefined>>,
    body?: AsyncIterable<Uint8Array>,
    { signal, auth }: Pick<TransferOptions, "signal" | "auth"> = {},
  ): AsyncGenerator<JsonMessage> {
    const headers = auth && { "X-Registry-Auth": encodeRegistryAuth(auth) };
    const call = {
      method: "POST",
      path,
      query,
      signal,
      ...defined({ body, headers }),
    } as const;
    for await (const { value } of this.#transport.messages<JsonMessage>(call)) yield value;
  }
}

/** Docker's engine takes the platform of all but pull and import as JSON only. */
function platformJson({ platform }: PlatformChoice): string | undefined {
  if (platform === undefined || platform === "") return undefined;
  const [os, architecture, variant] = platform.split("/");
  return JSON.stringify({ os, architecture, variant });
}

function at(ref: string): string {
  // The slashes of a reference stand in the path as they are.
  return `/images/${ref.split("/").map(encodeURIComponent).join("/")}`;
}

/** "name:tag" in its two parts; the colon of a registry's port does not begin a tag. */
export function splitTag(reference: string): { readonly name: string; readonly tag?: string } {
  const colon = reference.lastIndexOf(":");
  const tag = reference.slice(colon + 1);
  if (colon <= 0 || tag === "" || tag.includes("/") || reference.includes("@")) {
    return { name: reference };
  }
  return { name: reference.slice(0, colon), tag };
}
