import type {
  Volume,
  VolumeCloneResponse,
  VolumeCreateBody,
  VolumeImportResponse,
  VolumeList,
  VolumeSnapshot,
  VolumeSnapshotResponse,
  VolumesPruneResponse,
  WireFilters,
} from "#wire";
import { renderFilters } from "#wire";
import type { Transport } from "./transport.ts";

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
  clone(name: string, to: string, signal?: AbortSignal): Promise<VolumeCloneResponse> {
    const path = `/thimble/v1${at(name)}/clone`;
    return this.#transport.json({ method: "POST", path, query: { to }, signal });
  }

  /** thimble only: keeps the files of a volume under a tag, by default the time. */
  snapshot(
    name: string,
    options: {
      readonly tag?: string | undefined;
      readonly pause?: boolean;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<VolumeSnapshotResponse> {
    const { tag, pause = true, signal } = options;
    const path = `/thimble/v1${at(name)}/snapshots`;
    const query = { tag, pause: pause ? 1 : 0 };
    return this.#transport.json({ method: "POST", path, query, signal });
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

  /** thimble only: the volume gets the files of a snapshot; gives the bytes that were copied. */
  async rollback(name: string, tag: string, signal?: AbortSignal): Promise<number> {
    const path = `/thimble/v1${at(name)}/rollback`;
    const { Copied } = await this.#transport.json<{ readonly Copied: number }>({
      method: "POST",
      path,
      query: { tag },
      signal,
    });
    return Copied;
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
