/**
 * A registry inside the test's own process, small and obedient, with a hook before each
 * answer for whatever a registry may do wrong. Sockets are in its hand: it can drop,
 * stall, lie about lengths or speak no HTTP at all.
 */
import { createHash } from "node:crypto";
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";

export interface FakeRequest {
  readonly method: string;
  /** Path and query as sent. */
  readonly target: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
  readonly socket: Socket;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
}

/** An answer in place of the usual one; undefined leaves it; "taken" when the socket was answered by the hook itself. */
export type Hook = (
  request: FakeRequest,
  registry: FakeRegistry,
) => FakeAnswer | "taken" | undefined | Promise<FakeAnswer | "taken" | undefined>;

export interface FakeRegistryOptions {
  readonly hook?: Hook;
  readonly tls?: TlsOptions;
  /** Without it the registry has no referrers API and does not answer OCI-Subject. */
  readonly referrers?: boolean;
  readonly pageSize?: number;
  readonly minChunk?: number;
  /** Called for each part of a request's body as it comes, with all that has come. */
  readonly onBody?: (received: number, request: Omit<FakeRequest, "body">) => void;
}

interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export class FakeRegistry implements AsyncDisposable {
  /** "METHOD target" of every request, in order. */
  readonly requests: string[] = [];
  readonly blobs = new Map<string, Buffer>();
  /** "repository@digest": which repositories have which blobs. */
  readonly links = new Set<string>();
  /** "repository:tag" and "repository@digest". */
  readonly manifests = new Map<string, StoredManifest>();
  readonly uploads = new Map<string, Buffer>();
  hook: Hook | undefined;
  readonly #options: FakeRegistryOptions;
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #lastUpload = 0;

  private constructor(options: FakeRegistryOptions) {
    this.#options = options;
    this.hook = options.hook;
    const serve = (socket: Socket) => this.#serve(socket);
    this.#server = options.tls ? createTlsServer(options.tls, serve) : createServer(serve);
  }

  static async start(options: FakeRegistryOptions = {}): Promise<FakeRegistry> {
    const registry = new FakeRegistry(options);
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address ? address.port : 0;
  }

  get host(): string {
    return `127.0.0.1:${this.port}`;
  }

  addBlob(repository: string, bytes: Uint8Array): { digest: string; size: number } {
    const digest = digestOf(bytes);
    this.blobs.set(digest, Buffer.from(bytes));
    this.links.add(`${repository}@${digest}`);
    return { digest, size: bytes.byteLength };
  }

  addManifest(repository: string, tag: string | undefined, document: object): string {
    const bytes = Buffer.from(JSON.stringify(document));
    const digest = digestOf(bytes);
    const { mediaType } = document as { mediaType: string };
    this.manifests.set(`${repository}@${digest}`, { bytes, mediaType });
    if (tag !== undefined) this.manifests.set(`${repository}:${tag}`, { bytes, mediaType });
    return digest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    let held = Buffer.alloc(0);
    let turn = Promise.resolve();
    socket.on("data", (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      for (let next = this.#cut(held, socket); next; next = this.#cut(held, socket)) {
        const { request, rest } = next;
        held = rest;
        turn = turn.then(() => this.#answer(request)).catch(() => void socket.destroy());
      }
    });
  }

  /** The first whole request among the bytes that have come. */
  #cut(
    held: Buffer,
    socket: Socket,
  ): { request: FakeRequest; rest: Buffer<ArrayBuffer> } | undefined {
    const end = held.indexOf("\r\n\r\n");
    if (end < 0) {
      if (held.length > 0 && held[0] === 0x16) socket.destroy();
      return undefined;
    }
    const [first = "", ...lines] = held.toString("latin1", 0, end).split("\r\n");
    const [method = "", target = ""] = first.split(" ");
    const headers = new Map(
      lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
      }),
    );
    const url = new URL(target, "http://fake");
    const head = { method, target, path: url.pathname, query: url.searchParams, headers, socket };
    const length = Number(headers.get("content-length") ?? 0);
    const body = Buffer.from(held.subarray(end + 4, end + 4 + length));
    if (length > 0) this.#options.onBody?.(body.length, head);
    if (body.length < length) return undefined;
    return { request: { ...head, body }, rest: Buffer.from(held.subarray(end + 4 + length)) };
  }

  async #answer(request: FakeRequest): Promise<void> {
    this.requests.push(`${request.method} ${request.target}`);
    const own = await this.hook?.(request, this);
    if (own === "taken") return;
    const { status, headers = {}, body = "" } = own ?? this.#usual(request);
    const bytes = Buffer.from(body as string);
    const length = { "Content-Length": String(bytes.length), ...headers };
    const fields = Object.entries(length).map(([name, value]) => `${name}: ${value}\r\n`);
    request.socket.write(`HTTP/1.1 ${status} Answer\r\n${fields.join("")}\r\n`);
    if (request.method !== "HEAD" && status !== 204) request.socket.write(bytes);
  }

  #usual(request: FakeRequest): FakeAnswer {
    const { path } = request;
    if (path === "/v2/") return { status: 200, body: "{}" };
    if (path === "/v2/_catalog") return this.#catalog(request);
    const match =
      /^\/v2\/(.+)\/(manifests|blobs\/uploads|blobs|tags|referrers)\/([^/]*)$/.exec(path) ?? [];
    const [, repository = "", kind, last = ""] = match;
    if (kind === "manifests") return this.#manifest(request, repository, last);
    if (kind === "blobs") return this.#blob(request, repository, last);
    if (kind === "blobs/uploads") return this.#upload(request, repository, last);
    if (kind === "tags") return this.#tags(request, repository);
    if (kind === "referrers" && this.#options.referrers) return this.#referrers(repository, last);
    return error(404, "NOT_FOUND", "no such thing");
  }

  #manifest(request: FakeRequest, repository: string, reference: string): FakeAnswer {
    const key = `${repository}${reference.includes(":") ? "@" : ":"}${reference}`;
    if (request.method === "PUT") {
      const mediaType = request.headers.get("content-type") ?? "";
      const digest = digestOf(request.body);
      const stored = { bytes: request.body, mediaType };
      this.manifests.set(key, stored).set(`${repository}@${digest}`, stored);
      const { subject } = JSON.parse(request.body.toString()) as { subject?: { digest: string } };
      const told = subject && this.#options.referrers ? { "OCI-Subject": subject.digest } : {};
      return { status: 201, headers: { "Docker-Content-Digest": digest, ...told } };
    }
    const stored = this.manifests.get(key);
    if (!stored) return error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    if (request.method === "DELETE") {
      this.manifests.delete(key);
      return { status: 202 };
    }
    return {
      status: 200,
      headers: {
        "Content-Type": stored.mediaType,
        "Docker-Content-Digest": digestOf(stored.bytes),
      },
      body: stored.bytes,
    };
  }

  #blob(request: FakeRequest, repository: string, digest: string): FakeAnswer {
    const bytes = this.links.has(`${repository}@${digest}`) ? this.blobs.get(digest) : undefined;
    if (!bytes) return error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "");
    if (!range) return { status: 200, body: bytes };
    const [start, end] = [Number(range[1]), Number(range[2])];
    return {
      status: 206,
      headers: { "Content-Range": `bytes ${start}-${end}/${bytes.length}` },
      body: bytes.subarray(start, end + 1),
    };
  }

  #upload(request: FakeRequest, repository: string, id: string): FakeAnswer {
    if (request.method === "POST") return this.#begin(request, repository);
    const held = this.uploads.get(id);
    if (!held) return error(404, "BLOB_UPLOAD_UNKNOWN", "upload unknown");
    if (request.method === "DELETE") {
      this.uploads.delete(id);
      return { status: 204 };
    }
    if (request.method === "PATCH" || request.method === "PUT") {
      const start = /^(\d+)-/.exec(request.headers.get("content-range") ?? "")?.[1];
      if (start !== undefined && Number(start) !== held.length) {
        return error(416, "RANGE_INVALID", "not where we are");
      }
      this.uploads.set(id, Buffer.concat([held, request.body]));
    }
    if (request.method === "PUT") return this.#finish(request, repository, id);
    return this.#progress(repository, id, request.method === "PATCH" ? 202 : 204);
  }

  #begin(request: FakeRequest, repository: string): FakeAnswer {
    const mount = request.query.get("mount");
    if (mount !== null && this.links.has(`${request.query.get("from")}@${mount}`)) {
      this.links.add(`${repository}@${mount}`);
      return { status: 201, headers: { Location: `/v2/${repository}/blobs/${mount}` } };
    }
    const id = `upload-${++this.#lastUpload}`;
    this.uploads.set(id, Buffer.alloc(0));
    return this.#progress(repository, id, 202);
  }

  #progress(repository: string, id: string, status: number): FakeAnswer {
    const length = this.uploads.get(id)?.length ?? 0;
    const { minChunk } = this.#options;
    return {
      status,
      headers: {
        Location: `/v2/${repository}/blobs/uploads/${id}?state=${length}`,
        Range: `0-${Math.max(0, length - 1)}`,
        ...(minChunk === undefined ? {} : { "OCI-Chunk-Min-Length": String(minChunk) }),
      },
    };
  }

  #finish(request: FakeRequest, repository: string, id: string): FakeAnswer {
    const bytes = this.uploads.get(id) ?? Buffer.alloc(0);
    this.uploads.delete(id);
    const digest = request.query.get("digest");
    if (digestOf(bytes) !== digest) return error(400, "DIGEST_INVALID", "digest did not match");
    this.addBlob(repository, bytes);
    return { status: 201, headers: { Location: `/v2/${repository}/blobs/${digest}` } };
  }

  #tags(request: FakeRequest, repository: string): FakeAnswer {
    const prefix = `${repository}:`;
    const all = [...this.manifests.keys()]
      .filter((key) => key.startsWith(prefix))
      .map((key) => key.slice(prefix.length));
    return this.#page(request, all, "tags");
  }

  #catalog(request: FakeRequest): FakeAnswer {
    const all = [...this.manifests.keys()].map((key) => key.replace(/[:@].*$/, ""));
    return this.#page(request, [...new Set(all)], "repositories");
  }

  #page(request: FakeRequest, all: readonly string[], key: string): FakeAnswer {
    const { pageSize = 1000 } = this.#options;
    const sorted = all.toSorted();
    const last = request.query.get("last") ?? "";
    const rest = sorted.filter((each) => each > last);
    const page = rest.slice(0, pageSize);
    const more = `<${request.path}?last=${page.at(-1)}&n=${pageSize}>; rel="next"`;
    return {
      status: 200,
      headers: {
        "Content-Type": "application/json",
        ...(rest.length > page.length ? { Link: more } : {}),
      },
      body: JSON.stringify({ [key]: page }),
    };
  }

  #referrers(repository: string, subject: string): FakeAnswer {
    const found = [...this.manifests].flatMap(([key, { bytes, mediaType }]) => {
      const document = JSON.parse(bytes.toString()) as {
        subject?: { digest: string };
        artifactType?: string;
      };
      if (!key.startsWith(`${repository}@`) || document.subject?.digest !== subject) return [];
      const { artifactType } = document;
      return [{ mediaType, digest: digestOf(bytes), size: bytes.length, artifactType }];
    });
    const mediaType = "application/vnd.oci.image.index.v1+json";
    return {
      status: 200,
      headers: { "Content-Type": mediaType },
      body: JSON.stringify({ schemaVersion: 2, mediaType, manifests: found }),
    };
  }
}

function error(status: number, code: string, message: string): FakeAnswer {
  return {
    status,
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ errors: [{ code, message }] }),
  };
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
