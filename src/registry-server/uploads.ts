import { type Clock, formatTime, Slots } from "#base";
import { type Digest, type DigestAlgorithm, Digester, digestAlgorithm } from "#image";
import { layout, newUploadId, type RepositoryName, type UploadId } from "./layout.ts";
import type { ObjectStore, ObjectWriter } from "./object-store.ts";
import { RegistryError } from "./registry-error.ts";
import type { Repositories } from "./repositories.ts";

const maxSessions = 4096;

/** The state of an upload between its requests; without it all is read again from the store. */
interface Session {
  readonly key: string;
  /** The hash of the first `hashed` bytes; undefined when it does not agree with the store. */
  hasher: Digester | undefined;
  hashed: number;
  /** Ends the request that is writing now. */
  takeOver: (() => void) | undefined;
  /** Fulfilled when no request works on it. */
  idle: Promise<void>;
  closed: boolean;
}

export interface UploadBody {
  readonly stream: AsyncIterable<Uint8Array>;
  /** Ends the stream, also while it waits for more. */
  readonly stop?: () => void;
  /** By Content-Range: where the bytes belong, and how many they are. */
  readonly range?: { readonly start: number; readonly length: number } | undefined;
}

export interface UploadLimits {
  readonly blobBytes: number;
  readonly activeUploads: number;
}

/**
 * Blobs on their way in (distribution-spec 1.1, "Pushing Blobs"). Bytes are hashed as
 * they are written: 64 KiB take 35 us, less than handing them to another thread and
 * back would. What arrived stays when a connection drops; a later request for the same
 * upload takes it over from an earlier one that still hangs.
 */
export class Uploads {
  readonly #store: ObjectStore;
  readonly #repositories: Repositories;
  readonly #clock: Clock;
  readonly #limits: UploadLimits;
  readonly #sessions = new Map<string, Session>();
  readonly #slots: Slots;

  constructor(parts: {
    readonly store: ObjectStore;
    readonly repositories: Repositories;
    readonly clock: Clock;
    readonly limits: UploadLimits;
  }) {
    this.#store = parts.store;
    this.#repositories = parts.repositories;
    this.#clock = parts.clock;
    this.#limits = parts.limits;
    const refusal = () =>
      new RegistryError("TOOMANYREQUESTS", "too many uploads at the same time; try again later", {
        headers: { "Retry-After": "1" },
      });
    this.#slots = new Slots(parts.limits.activeUploads, { length: 0, refusal });
  }

  /** `algorithm`: of the digest that the blob will have; another one costs reading it again. */
  async begin(name: RepositoryName, algorithm?: DigestAlgorithm): Promise<UploadId> {
    const id = newUploadId();
    // RFC 3339 in UTC, as docker-registry's own collection of abandoned uploads reads it.
    const started = formatTime(this.#clock.now());
    await this.#store.write(layout.uploadStart(name, id), Buffer.from(started));
    this.#remember(layout.upload(name, id), new Digester(algorithm));
    return id;
  }

  /** How many bytes arrived. */
  async size(name: RepositoryName, id: UploadId): Promise<number> {
    const session = await this.#session(name, id);
    if (!session.takeOver && session.hasher) return session.hashed;
    return await this.#alone(session, async () => {
      const writer = await this.#store.writer(layout.uploadData(name, id));
      await writer.close();
      return writer.size;
    });
  }

  /** Appends; how many bytes have arrived in all. 416 when they do not begin where the upload ends. */
  async append(name: RepositoryName, id: UploadId, body: UploadBody): Promise<number> {
    const session = await this.#session(name, id);
    return await this.#alone(session, async (signal) => {
      const writer = await this.#store.writer(layout.uploadData(name, id));
      try {
        await this.#receive(session, writer, body, signal);
      } finally {
        await writer.close();
      }
      return writer.size;
    });
  }

  /** Appends what there is, checks it, and gives the blob to the repository; its size. A wrong digest ends the upload. */
  async finish(
    name: RepositoryName,
    id: UploadId,
    wanted: { readonly digest: Digest; readonly body?: UploadBody | undefined },
  ): Promise<number> {
    const session = await this.#session(name, id);
    return await this.#alone(session, async (signal) => {
      const key = layout.uploadData(name, id);
      const writer = await this.#store.writer(key);
      try {
        if (wanted.body) await this.#receive(session, writer, wanted.body, signal);
      } catch (error) {
        await writer.close();
        throw error;
      }
      const { size } = writer;
      await writer.commit();
      const digest = await this.#digest(session, {
        key,
        size,
        algorithm: digestAlgorithm(wanted.digest),
      });
      if (digest !== wanted.digest) {
        await this.#drop(session, name, id);
        throw new RegistryError(
          "DIGEST_INVALID",
          `the ${size} bytes that arrived have the digest ${digest}, not ${wanted.digest}; send them again`,
          { detail: { expected: wanted.digest, actual: digest } },
        );
      }
      try {
        await this.#repositories.adoptBlob(name, digest, key);
      } finally {
        await this.#drop(session, name, id);
      }
      return size;
    });
  }

  async cancel(name: RepositoryName, id: UploadId): Promise<void> {
    const session = await this.#session(name, id);
    await this.#alone(session, () => this.#drop(session, name, id));
  }

  /**
   * Removes the leftovers of an upload, unless a request works on it or did since `since`
   * (milliseconds).
   */
  async abandon(name: RepositoryName, id: UploadId, since: number): Promise<boolean> {
    const session = this.#sessions.get(layout.upload(name, id));
    if (session?.takeOver) return false;
    const held = session ?? this.#remember(layout.upload(name, id), undefined);
    return await this.#inTurn(held, async () => {
      for await (const { modified } of this.#store.walk(layout.upload(name, id))) {
        if (modified > since) return false;
      }
      await this.#drop(held, name, id);
      return true;
    });
  }

  async #session(name: RepositoryName, id: UploadId): Promise<Session> {
    const key = layout.upload(name, id);
    const known = this.#sessions.get(key);
    if (known) return known;
    if (!(await this.#store.stat(layout.uploadStart(name, id)))) throw unknownUpload(id);
    return this.#sessions.get(key) ?? this.#remember(key, undefined);
  }

  #remember(key: string, hasher: Digester | undefined): Session {
    const session: Session = {
      key,
      hasher,
      hashed: 0,
      takeOver: undefined,
      idle: Promise.resolve(),
      closed: false,
    };
    this.#sessions.set(key, session);
    if (this.#sessions.size > maxSessions) {
      for (const [each, { takeOver }] of this.#sessions) {
        if (takeOver || each === key) continue;
        this.#sessions.delete(each);
        break;
      }
    }
    return session;
  }

  /** A request alone with an upload, unless as many as are allowed are at work. */
  async #alone<T>(session: Session, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    using _slot = await this.#slots.take();
    return await this.#inTurn(session, work);
  }

  /** The request that had the upload before is told to end, and awaited. */
  async #inTurn<T>(session: Session, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController();
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = session.idle;
    session.takeOver?.();
    session.takeOver = () => controller.abort();
    session.idle = before.then(() => promise);
    const mine = session.takeOver;
    try {
      await before;
      if (session.closed) throw unknownUpload(session.key.slice(session.key.lastIndexOf("/") + 1));
      return await work(controller.signal);
    } finally {
      if (session.takeOver === mine) session.takeOver = undefined;
      resolve();
    }
  }

  async #receive(
    session: Session,
    writer: ObjectWriter,
    body: UploadBody,
    signal: AbortSignal,
  ): Promise<void> {
    const { range } = body;
    if (range && range.start !== writer.size) {
      throw new RegistryError(
        "RANGE_INVALID",
        `the bytes begin at ${range.start} while the upload ends at ${writer.size}`,
        { detail: { size: writer.size } },
      );
    }
    if (session.hashed !== writer.size) session.hasher = undefined;
    const limit = range ? writer.size + range.length : this.#limits.blobBytes;
    const stop = () => body.stop?.();
    signal.addEventListener("abort", stop, { once: true });
    for await (const chunk of body.stream) {
      requireMine(signal);
      if (writer.size + chunk.byteLength > limit) throw tooMuch(range, this.#limits.blobBytes);
      try {
        await writer.write(chunk);
      } catch (error) {
        session.hasher = undefined;
        throw error;
      }
      session.hasher?.update(chunk);
      session.hashed = writer.size;
    }
    requireMine(signal);
    if (range && writer.size !== limit) {
      throw new RegistryError(
        "SIZE_INVALID",
        `the request has fewer than the ${range.length} bytes that its Content-Range promises`,
      );
    }
  }

  async #digest(
    session: Session,
    {
      key,
      size,
      algorithm,
    }: { readonly key: string; readonly size: number; readonly algorithm: DigestAlgorithm },
  ): Promise<Digest> {
    let hasher = session.hashed === size ? session.hasher : undefined;
    // A restart or a failed write has lost it, or it is for another algorithm.
    if (hasher?.algorithm !== algorithm) {
      hasher = new Digester(algorithm);
      for await (const chunk of this.#store.read(key)) hasher.update(chunk);
    }
    session.hasher = undefined;
    return hasher.digest();
  }

  async #drop(session: Session, name: RepositoryName, id: UploadId): Promise<void> {
    session.closed = true;
    this.#sessions.delete(session.key);
    await this.#store.delete(layout.uploadData(name, id));
    // Hash states of docker-registry may lie beside them.
    for await (const { key } of this.#store.walk(layout.upload(name, id))) {
      await this.#store.delete(key);
    }
  }
}

function requireMine(signal: AbortSignal): void {
  if (!signal.aborted) return;
  throw new RegistryError("BLOB_UPLOAD_INVALID", "another request has taken the upload over", {
    status: 409,
  });
}

function unknownUpload(id: string): RegistryError {
  return new RegistryError(
    "BLOB_UPLOAD_UNKNOWN",
    `there is no upload ${id} in this repository; it was finished, cancelled or given up: begin anew`,
  );
}

function tooMuch(range: UploadBody["range"], blobBytes: number): RegistryError {
  return range
    ? new RegistryError(
        "SIZE_INVALID",
        `the request has more than the ${range.length} bytes that its Content-Range promises`,
      )
    : new RegistryError("SIZE_INVALID", `a blob may have ${blobBytes} bytes here`, { status: 413 });
}
