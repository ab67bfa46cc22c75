import type {
  Volume,
  VolumeCloneResponse,
  VolumeCreateBody,
  VolumeImportResponse,
  VolumeList,
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

  /** GET /volumes/NAME. */
  inspect(name: string): Promise<Volume> {
    return this.#transport.json({ method: "GET", path: at(name) });
  }

  /** thimble only: a new volume `to` with the files of another. */
  clone(name: string, to: string): Promise<VolumeCloneResponse> {
    const path = `/thimble/v1${at(name)}/clone`;
    return this.#transport.json({ method: "POST", path, query: { to } });
  }

  /** thimble only: the files of a volume as a tar. */
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
