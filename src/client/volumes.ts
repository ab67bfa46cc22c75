import { Fault } from "#base";
import type {
  JsonMessage,
  Volume,
  VolumeCloneResponse,
  VolumeCreateBody,
  VolumeImportResponse,
  VolumeList,
  VolumeRollbackResponse,
  VolumeSnapshot,
  VolumeSnapshotResponse,
  VolumesPruneResponse,
  WireFilters,
} from "#wire";
import { renderFilters } from "#wire";
import { type Call, ResponseFault, type Transport } from "./transport.ts";

/** How a copy of files on the engine's side is followed, and ended before its time. */
export interface Follow {
  readonly signal?: AbortSignal | undefined;
  /** Hears now and then how many bytes are copied by now. */
  readonly onCopied?: ((bytes: number) => void) | undefined;
}

/** /volumes of the Docker Engine API. */
export class VolumesClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** GET /volumes, by name. */
  list(options: { readonly filters?: WireFilters } = {}): Promise<VolumeList> {
    const query = { filters: renderFilters(options.filters ?? {}) };
    return this.#transport.json({ method: "GET", path: "/volumes", query });
  }

  /** POST /volumes/create; a volume that has the name is given as it is. */
  create(body: VolumeCreateBody): Promise<Volume> {
    return this.#transport.json({ method: "POST", path: "/volumes/create", json: body });
  }

  /** thimble only: makes a volume's directory ready for somebody who is no container of the engine. */
  lend(name: string, borrower: string): Promise<Volume> {
    const path = `/thimble/v1${at(name)}/loans/${encodeURIComponent(borrower)}`;
    return this.#transport.json({ method: "PUT", path });
  }

  /** thimble only: ends what `lend` began; does nothing where there is no loan. */
  async takeBack(name: string, borrower: string): Promise<void> {
    const path = `/thimble/v1${at(name)}/loans/${encodeURIComponent(borrower)}`;
    await this.#transport.done({ method: "DELETE", path });
  }

  /** GET /volumes/NAME. */
  inspect(name: string): Promise<Volume> {
    return this.#transport.json({ method: "GET", path: at(name) });
  }

  /** thimble only: a new volume `to` with the files of another, or of a snapshot ("data@monday"). */
  clone(name: string, to: string, follow: Follow = {}): Promise<VolumeCloneResponse> {
    return this.#copy(`${at(name)}/clone`, { to }, follow);
  }

  /** thimble only: keeps the files of a volume under a tag, by default the time. */
  snapshot(
    name: string,
    options: Follow & { readonly tag?: string | undefined; readonly pause?: boolean } = {},
  ): Promise<VolumeSnapshotResponse> {
    const { tag, pause = true, ...follow } = options;
    return this.#copy(`${at(name)}/snapshots`, { tag, pause: pause ? 1 : 0 }, follow);
  }

  /** thimble only: the oldest first. */
  async snapshots(name: string): Promise<readonly VolumeSnapshot[]> {
    const path = `/thimble/v1${at(name)}/snapshots`;
    const { Snapshots } = await this.#transport.json<{
      readonly Snapshots: readonly VolumeSnapshot[];
    }>({ method: "GET", path });
    return Snapshots;
  }

  /** thimble only. */
  async removeSnapshot(name: string, tag: string): Promise<void> {
    const path = `/thimble/v1${at(name)}/snapshots/${encodeURIComponent(tag)}`;
    await this.#transport.done({ method: "DELETE", path });
  }

  /** thimble only: the volume gets the files of a snapshot. */
  rollback(name: string, tag: string, follow: Follow = {}): Promise<VolumeRollbackResponse> {
    return this.#copy(`${at(name)}/rollback`, { tag }, follow);
  }

  async #copy<T>(
    path: string,
    query: NonNullable<Call["query"]>,
    { signal, onCopied }: Follow,
  ): Promise<T> {
    const call = { method: "POST", path: `/thimble/v1${path}`, signal } as const;
    if (!onCopied) return await this.#transport.json({ ...call, query });
    const followed = { ...call, query: { ...query, progress: 1 } };
    for await (const { value } of this.#transport.messages<JsonMessage>(followed)) {
      if (value.error !== undefined) throw new ResponseFault(500, value.error);
      if (value.aux) return value.aux as T;
      if (value.progressDetail?.current) onCopied(value.progressDetail.current);
    }
    throw new Fault("unavailable", "the engine broke off its answer");
  }

  /** thimble only: the files of a volume, or of a snapshot ("data@monday"), as a tar. */
  async *export(name: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const path = `/thimble/v1${at(name)}/archive`;
    const response = await this.#transport.call({ method: "GET", path, signal });
    yield* response.body;
  }

  /**
   * thimble only: the files of a tar for a volume, which is made if it is missing; `conflict` when
   * it has files and not `replace`.
   */
  import(
    name: string,
    archive: AsyncIterable<Uint8Array>,
    options: { readonly replace?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<VolumeImportResponse> {
    const { replace, signal } = options;
    const path = `/thimble/v1${at(name)}/archive`;
    return this.#transport.json({ method: "PUT", path, query: { replace }, body: archive, signal });
  }

  /** thimble only: another name for a volume that no container has. */
  rename(name: string, to: string): Promise<Volume> {
    const path = `/thimble/v1${at(name)}/rename`;
    return this.#transport.json({ method: "POST", path, query: { to } });
  }

  /** DELETE /volumes/NAME; `conflict` while a container has it. */
  async remove(name: string, options: { readonly force?: boolean } = {}): Promise<void> {
    const query = { force: options.force };
    await this.#transport.done({ method: "DELETE", path: at(name), query });
  }

  /** POST /volumes/prune: anonymous ones, or with the filter `all` also others that no container has. */
  prune(filters: WireFilters): Promise<VolumesPruneResponse> {
    const query = { filters: renderFilters(filters) };
    return this.#transport.json({ method: "POST", path: "/volumes/prune", query });
  }
}

function at(name: string): string {
  return `/volumes/${encodeURIComponent(name)}`;
}
