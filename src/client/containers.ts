import type { ContainerCreateBody, ContainerUpdateBody, PortBindingsBody } from "#container";
import type {
  ContainerChange,
  ContainerCreateResponse,
  ContainerDiagnosis,
  ContainerInspect,
  ContainerStats,
  ContainerSummary,
  ContainersPruneResponse,
  ContainerTopResponse,
  ContainerUpdateResponse,
  ContainerWaitResponse,
  ExecCreateBody,
  PathStat,
  PortsChangeResponse,
  WireFilters,
} from "#wire";
import { renderFilters } from "#wire";
import type { AttachedStream } from "./attached-stream.ts";
import { demux, type OutputPart } from "./demux.ts";
import { splitTag } from "./images.ts";
import { pathStatOf } from "./path-stat.ts";
import { type ContainerRun, openRun, runContainer } from "./run.ts";
import type { Transport } from "./transport.ts";

/** The query of a create: the container's name, and a platform as "linux/arm64". */
export interface CreateOptions {
  readonly name?: string | undefined;
  readonly platform?: string | undefined;
}

/** The part of a log to read. */
export interface LogOptions {
  readonly follow?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  /** Unix seconds, with a fraction if need be. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** A number of lines, or "all". */
  readonly tail?: string | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Seconds before SIGKILL (-1: never; absent: the container's own), and the signal to begin with.
 */
export interface StopOptions {
  readonly timeout?: number | undefined;
  readonly signal?: string | undefined;
}

/** /containers of the Docker Engine API. Every `ref` is an id, a unique prefix of one, or a name. */
export class ContainersClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * POST /containers/create. `conflict` for a name that is taken, `not_found` for an image that is
   * not stored.
   */
  create(body: ContainerCreateBody, options: CreateOptions = {}): Promise<ContainerCreateResponse> {
    const query = { name: options.name, platform: options.platform };
    return this.#transport.json({ method: "POST", path: "/containers/create", query, json: body });
  }

  /** Creates and starts a container with its streams connected. */
  run(body: ContainerCreateBody, options: CreateOptions = {}): Promise<ContainerRun> {
    return runContainer(this.#transport, this, { body, options });
  }

  /** thimble only: runs tools on the files of a container that is stopped; `image` has the tools. */
  debug(
    ref: string,
    image: string,
    body: Pick<ExecCreateBody, "Cmd" | "User" | "Tty" | "AttachStdin">,
  ): Promise<Omit<ContainerRun, "id" | "warnings">> {
    const path = `/thimble/v1${at(ref)}/debug`;
    return openRun(this.#transport, { method: "POST", path, query: { image }, json: body });
  }

  /** thimble only: sets the size of the terminal of those tools. */
  async resizeDebug(
    ref: string,
    size: { readonly rows: number; readonly columns: number },
  ): Promise<void> {
    const query = { h: size.rows, w: size.columns };
    const path = `/thimble/v1${at(ref)}/debug/resize`;
    await this.#transport.done({ method: "POST", path, query });
  }

  /** The plan of a start, without creating anything: as text for people, or as JSON text. */
  plan(
    body: ContainerCreateBody,
    options: CreateOptions & { format: "text" | "json" },
  ): Promise<string> {
    const { format, platform, name } = options;
    const query = { format, platform, name };
    return this.#transport.text({
      method: "POST",
      path: "/thimble/v1/containers/plan",
      query,
      json: body,
    });
  }

  /** HEAD /containers/ID/archive: the facts about a file; `not_found` for one that is missing. */
  async statPath(ref: string, path: string): Promise<PathStat> {
    const call = { method: "HEAD", path: `${at(ref)}/archive`, query: { path } } as const;
    const response = await this.#transport.call(call);
    response.close();
    return pathStatOf(response, path);
  }

  /**
   * GET /containers/ID/archive: the file or directory at a path and its facts, as a tar, which must
   * be read or closed. With `holes` an engine of thimble leaves out those of files.
   */
  async archive(
    ref: string,
    path: string,
    options: { readonly holes?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly stat: PathStat; readonly tar: AsyncIterable<Uint8Array>; close(): void }> {
    const { holes, signal } = options;
    const response = await this.#transport.call({
      method: "GET",
      path: `${at(ref)}/archive`,
      query: { path, holes },
      signal,
    });
    return {
      stat: pathStatOf(response, path),
      tar: response.body,
      close: () => response.close(),
    };
  }

  /** PUT /containers/ID/archive: unpacks a tar into a directory of a container. */
  async putArchive(
    ref: string,
    path: string,
    archive: AsyncIterable<Uint8Array>,
    options: {
      readonly noOverwriteDirNonDir?: boolean;
      readonly copyUIDGID?: boolean;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<void> {
    const { signal, ...rest } = options;
    const query = { path, ...rest };
    const call = { method: "PUT", path: `${at(ref)}/archive`, query, body: archive } as const;
    await this.#transport.done({ ...call, signal });
  }

  /** thimble only: other options of its log, at once where it runs. */
  async changeLogOptions(ref: string, options: Readonly<Record<string, string>>): Promise<void> {
    const path = `/thimble/v1${at(ref)}/log-options`;
    await this.#transport.done({ method: "POST", path, json: { LogOptions: options } });
  }

  /** thimble only: publishes more ports, without a restart; they are published at each later start, too. */
  addPorts(ref: string, bindings: PortBindingsBody): Promise<PortsChangeResponse> {
    const path = `/thimble/v1${at(ref)}/ports`;
    return this.#transport.json({ method: "POST", path, json: { PortBindings: bindings } });
  }

  /** thimble only: takes ports back; `not_found` for one that is not published. */
  removePorts(ref: string, bindings: PortBindingsBody): Promise<PortsChangeResponse> {
    const path = `/thimble/v1${at(ref)}/ports/remove`;
    return this.#transport.json({ method: "POST", path, json: { PortBindings: bindings } });
  }

  /** False when it was running already. */
  start(ref: string): Promise<boolean> {
    return this.#transport.done({ method: "POST", path: `${at(ref)}/start` });
  }

  /** False when it was not running. */
  stop(ref: string, options: StopOptions = {}): Promise<boolean> {
    const query = { t: options.timeout, signal: options.signal };
    return this.#transport.done({ method: "POST", path: `${at(ref)}/stop`, query });
  }

  /** Stops the container if it runs, and starts it. */
  async restart(ref: string, options: StopOptions = {}): Promise<void> {
    const query = { t: options.timeout, signal: options.signal };
    await this.#transport.done({ method: "POST", path: `${at(ref)}/restart`, query });
  }

  /** Sends a signal, by name or number; `conflict` when the container is not running. */
  async kill(ref: string, signal: string): Promise<void> {
    await this.#transport.done({ method: "POST", path: `${at(ref)}/kill`, query: { signal } });
  }

  /** POST /containers/ID/update; gives warnings. */
  async update(ref: string, body: ContainerUpdateBody): Promise<readonly string[]> {
    const { Warnings } = await this.#transport.json<ContainerUpdateResponse>({
      method: "POST",
      path: `${at(ref)}/update`,
      json: body,
    });
    return Warnings ?? [];
  }

  /** POST /containers/ID/pause; `conflict` when it does not run or is paused. */
  async pause(ref: string): Promise<void> {
    await this.#transport.done({ method: "POST", path: `${at(ref)}/pause` });
  }

  /** POST /containers/ID/unpause. */
  async unpause(ref: string): Promise<void> {
    await this.#transport.done({ method: "POST", path: `${at(ref)}/unpause` });
  }

  /**
   * DELETE /containers/ID; `conflict` while it runs, unless `force`. `volumes` removes its
   * anonymous volumes, `link` a link in place of a container.
   */
  async remove(
    ref: string,
    options: { readonly force?: boolean; readonly volumes?: boolean; readonly link?: boolean } = {},
  ): Promise<void> {
    const { force, volumes: v, link } = options;
    await this.#transport.done({ method: "DELETE", path: at(ref), query: { force, v, link } });
  }

  /** Gives it another name; `conflict` when that is taken. */
  async rename(ref: string, name: string): Promise<void> {
    await this.#transport.done({ method: "POST", path: `${at(ref)}/rename`, query: { name } });
  }

  /** Settles once the engine waits; the inner promise is the end. */
  async wait(
    ref: string,
    condition: "not-running" | "next-exit" | "removed",
    signal?: AbortSignal,
  ): Promise<{ readonly result: Promise<ContainerWaitResponse> }> {
    const call = { method: "POST", path: `${at(ref)}/wait`, query: { condition }, signal } as const;
    const response = await this.#transport.call(call);
    const result = (async () => {
      let text = "";
      for await (const bytes of response.body) text += Buffer.from(bytes).toString();
      return JSON.parse(text) as ContainerWaitResponse;
    })();
    // A caller that gives up on the start leaves the result unread.
    result.catch(() => undefined);
    return { result };
  }

  /** GET /containers/ID/json; with `size` also the disk space, which takes the engine longer. */
  inspect(ref: string, options: { readonly size?: boolean } = {}): Promise<ContainerInspect> {
    return this.#transport.json({
      method: "GET",
      path: `${at(ref)}/json`,
      query: { size: options.size },
    });
  }

  /** GET /containers/json, newest first: those that run, or with `all` every one. */
  list(
    options: {
      readonly all?: boolean;
      readonly size?: boolean;
      /** thimble only: health, restarts and memory of each. */
      readonly usage?: boolean;
      readonly limit?: number | undefined;
      readonly filters?: WireFilters;
    } = {},
  ): Promise<readonly ContainerSummary[]> {
    const { all, size, usage, limit } = options;
    const query = { all, size, usage, limit, filters: renderFilters(options.filters ?? {}) };
    return this.#transport.json({ method: "GET", path: "/containers/json", query });
  }

  /** The log; `tty` says whether the container has a terminal, whose log has no frames. */
  async *logs(ref: string, tty: boolean, options: LogOptions): AsyncGenerator<OutputPart> {
    const { signal, ...query } = options;
    const response = await this.#transport.call({
      method: "GET",
      path: `${at(ref)}/logs`,
      query,
      signal,
    });
    if (!tty) return yield* demux(response.body);
    for await (const bytes of response.body) yield { stream: "stdout", bytes };
  }

  /** In effect when the promise settles, before the start too: nothing written after that is missed. */
  attach(
    ref: string,
    options: {
      readonly stdin?: boolean;
      readonly stdout?: boolean;
      readonly stderr?: boolean;
      readonly logs?: boolean;
      readonly detachKeys?: string | undefined;
      readonly signal?: AbortSignal;
    },
  ): Promise<AttachedStream> {
    const { signal, ...query } = options;
    return this.#transport.attach({
      method: "POST",
      path: `${at(ref)}/attach`,
      query: { stream: true, ...query },
      signal,
    });
  }

  /** Sets the size of its terminal in characters; `conflict` when it is not running. */
  async resize(
    ref: string,
    size: { readonly rows: number; readonly columns: number },
  ): Promise<void> {
    const query = { h: size.rows, w: size.columns };
    await this.#transport.done({ method: "POST", path: `${at(ref)}/resize`, query });
  }

  /** Its processes, with the columns that these arguments of ps(1) ask for. */
  top(ref: string, psArguments: readonly string[]): Promise<ContainerTopResponse> {
    const query = { ps_args: psArguments.length === 0 ? undefined : psArguments.join(" ") };
    return this.#transport.json({ method: "GET", path: `${at(ref)}/top`, query });
  }

  /** Its usage now, without that of a moment before; zeros for one that does not run. */
  stats(ref: string): Promise<ContainerStats> {
    // A query leaves out what is false, and the server streams by itself.
    const query = { stream: 0, "one-shot": true };
    return this.#transport.json({ method: "GET", path: `${at(ref)}/stats`, query });
  }

  /** thimble only: facts beyond `inspect` about why it does not run. */
  diagnose(ref: string): Promise<ContainerDiagnosis> {
    return this.#transport.json({ method: "GET", path: `/thimble/v1${at(ref)}/diagnosis` });
  }

  /** The paths that differ from its image. */
  async changes(ref: string): Promise<readonly ContainerChange[]> {
    const found = await this.#transport.json<readonly ContainerChange[] | null>({
      method: "GET",
      path: `${at(ref)}/changes`,
    });
    return found ?? [];
  }

  /** Makes an image of the container's image and its changes; gives the image's id. */
  async commit(
    ref: string,
    options: {
      /** "name[:tag]". */
      readonly reference?: string | undefined;
      readonly message?: string | undefined;
      readonly author?: string | undefined;
      readonly changes?: readonly string[];
      readonly pause?: boolean;
      /** SOURCE_DATE_EPOCH: seconds since 1970; engines other than thimble ignore it. */
      readonly epoch?: number | undefined;
      readonly signal?: AbortSignal;
    },
  ): Promise<string> {
    const { reference, message, author, changes, pause = true, epoch, signal } = options;
    const target = reference === undefined ? undefined : splitTag(reference);
    const { Id } = await this.#transport.json<{ readonly Id: string }>({
      method: "POST",
      path: "/commit",
      query: {
        container: ref,
        repo: target?.name,
        tag: target?.tag,
        comment: message,
        author,
        changes,
        pause: pause ? 1 : 0,
        epoch,
      },
      json: {},
      signal,
    });
    return Id;
  }

  /** The root file system as a tar. */
  async *export(ref: string, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const response = await this.#transport.call({
      method: "GET",
      path: `${at(ref)}/export`,
      signal,
    });
    yield* response.body;
  }

  /** Removes the containers that do not run and match the filters. */
  prune(filters: WireFilters): Promise<ContainersPruneResponse> {
    const query = { filters: renderFilters(filters) };
    return this.#transport.json({ method: "POST", path: "/containers/prune", query });
  }
}

function at(ref: string): string {
  return `/containers/${encodeURIComponent(ref)}`;
}
