import { defined } from "#base";
import type {
  AuthConfig,
  AuthResponse,
  DiskUsage,
  EventMessage,
  FsckMessage,
  SearchResult,
  SystemInfo,
  SystemVersion,
  WireFilters,
} from "#wire";
import { encodeRegistryAuth, renderFilters } from "#wire";
import type { Transport } from "./transport.ts";

/** The endpoints about the engine itself, its events and its registries. */
export class SystemClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** GET /version. */
  version(): Promise<SystemVersion> {
    return this.#transport.json({ method: "GET", path: "/version" });
  }

  /** GET /info. */
  info(): Promise<SystemInfo> {
    return this.#transport.json({ method: "GET", path: "/info" });
  }

  /** Asks a registry, through the engine, whether it takes these credentials. */
  login(auth: AuthConfig): Promise<AuthResponse> {
    return this.#transport.json({ method: "POST", path: "/auth", json: auth });
  }

  /**
   * Repositories of Docker Hub, or with "HOST/word" of another registry, by a word of their names.
   */
  search(
    term: string,
    options: {
      readonly limit?: number | undefined;
      readonly filters?: WireFilters;
      readonly auth?: AuthConfig | undefined;
    } = {},
  ): Promise<readonly SearchResult[]> {
    const { limit, filters = {}, auth } = options;
    return this.#transport.json({
      method: "GET",
      path: "/images/search",
      query: { term, limit, filters: renderFilters(filters) },
      ...defined({ headers: auth && { "X-Registry-Auth": encodeRegistryAuth(auth) } }),
    });
  }

  /** The kinds ("image", "container") that are asked for; all when the list is empty. */
  diskUsage(types: readonly string[] = []): Promise<DiskUsage> {
    return this.#transport.json({ method: "GET", path: "/system/df", query: { type: types } });
  }

  /** Where the engine's time goes for that long, in the format of a .cpuprofile file. */
  profile(seconds: number): Promise<object> {
    return this.#transport.json({
      method: "POST",
      path: "/thimble/v1/system/profile",
      query: { seconds },
    });
  }

  /**
   * Checks the engine's store of images: findings as they come, at the end the numbers of what was
   * read.
   */
  async *fsck(
    options: { readonly repair: boolean; readonly deep: boolean },
    signal?: AbortSignal,
  ): AsyncGenerator<FsckMessage> {
    const call = {
      method: "POST",
      path: "/thimble/v1/system/fsck",
      query: options,
      signal,
    } as const;
    for await (const { value } of this.#transport.messages<FsckMessage>(call)) yield value;
  }

  /** Settles when an engine answers; `unavailable` or `denied` when it cannot be reached. */
  async ping(): Promise<void> {
    await this.#transport.ping();
  }

  /** Events until `until`, or for ever; `text` is the event as it was sent. */
  events(options: {
    readonly since?: string | undefined;
    readonly until?: string | undefined;
    readonly filters?: WireFilters;
    readonly signal?: AbortSignal;
  }): AsyncGenerator<{ readonly value: EventMessage; readonly text: string }> {
    const { since, until, signal } = options;
    const query = { since, until, filters: renderFilters(options.filters ?? {}) };
    return this.#transport.messages({ method: "GET", path: "/events", query, signal });
  }
}
