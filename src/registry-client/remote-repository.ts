import { defined, Fault, isFault, type Log, silentLog } from "#base";
import {
  canonicalName,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestLike,
  familiarName,
  isDigest,
  type ManifestDocument,
  maxDocumentBytes,
  type Reference,
  requireDigest,
  sha256,
} from "#image";
import { type BlobPlace, downloadBlob } from "./download.ts";
import type { Capability } from "./endpoint.ts";
import type { Call, EndpointSession } from "./endpoint-session.ts";
import { getManifest, headManifest, type ManifestPlace } from "./manifests.ts";
import { listPages } from "./pages.ts";
import {
  fallbackTag,
  listReferrers,
  ofType,
  readFallback,
  referrerEntry,
  updateFallback,
} from "./referrers.ts";
import type {
  BlobOptions,
  OperationOptions,
  PutBlobOptions,
  Repository,
} from "./registry-client.ts";
import { hasStatus } from "./response-fault.ts";
import type { Backoff } from "./retry.ts";
import { uploadBlob } from "./upload.ts";

export interface RemoteRepositoryOptions {
  readonly name: Reference;
  /** The endpoints of its host, mirrors first. */
  readonly sessions: () => Promise<readonly EndpointSession[]>;
  readonly backoff: Backoff;
  readonly log?: Log | undefined;
}

const maxTags = 1_000_000;
const tagPattern = /^\w[\w.-]{0,127}$/;

/** A repository over its endpoints: reading from the first that can, writing to the one that takes pushes. */
export class RemoteRepository implements Repository {
  readonly name: Reference;
  readonly givesChunks = true;
  readonly #options: RemoteRepositoryOptions;

  constructor(options: RemoteRepositoryOptions) {
    this.#options = options;
    const { domain, path } = options.name;
    this.name = { domain, path };
  }

  resolve(tagOrDigest: string, { signal }: OperationOptions = {}): Promise<Descriptor> {
    return this.#read(tagOrDigest, signal, async (session, place) => {
      const told = await headManifest(session, place);
      return told ?? (await getManifest(session, place)).descriptor;
    });
  }

  manifest(tagOrDigest: string, { signal }: OperationOptions = {}): Promise<ManifestDocument> {
    return this.#read(tagOrDigest, signal, getManifest);
  }

  async *blob(
    descriptor: Pick<Descriptor, "digest" | "size" | "urls">,
    { offset = 0, signal }: BlobOptions = {},
  ): AsyncGenerator<Uint8Array> {
    const sessions = await this.#with("pull");
    const places = sessions.map((session): BlobPlace => {
      const path = session.path(this.name.path);
      return { session, target: `/${path}/blobs/${descriptor.digest}`, scopes: pull(path) };
    });
    const last = sessions.at(-1);
    for (const url of descriptor.urls ?? []) {
      if (last && URL.canParse(url))
        places.push({ session: last, target: new URL(url), scopes: [], isForeign: true });
    }
    const { backoff, log } = this.#options;
    yield* downloadBlob({ places, descriptor, offset, backoff, log, signal });
  }

  async hasBlob(digest: Digest, options: OperationOptions = {}): Promise<boolean> {
    return (await this.blobSize(digest, options)) !== undefined;
  }

  async blobSize(digest: Digest, { signal }: OperationOptions = {}): Promise<number | undefined> {
    try {
      return await this.#first("pull", async (session) =>
        sizeOf(session, this.name.path, digest, signal),
      );
    } catch (error) {
      if (isFault(error, "not_found")) return undefined;
      throw error;
    }
  }

  async putBlob(
    descriptor: Pick<Descriptor, "digest" | "size">,
    source: (offset: number) => AsyncIterable<Uint8Array>,
    options: PutBlobOptions = {},
  ): Promise<"existed" | "mounted" | "uploaded"> {
    const session = await this.#writer();
    const path = session.path(this.name.path);
    try {
      await sizeOf(session, this.name.path, descriptor.digest, options.signal, "pull,push");
      return "existed";
    } catch (error) {
      if (!isFault(error, "not_found")) throw error;
    }
    const { backoff } = this.#options;
    return uploadBlob({ ...options, session, path, descriptor, source, backoff });
  }

  async putManifest(
    tagOrDigest: string,
    bytes: Uint8Array,
    mediaType: string,
    options: OperationOptions = {},
  ): Promise<{ digest: Digest }> {
    return this.#putManifest(tagOrDigest, bytes, mediaType, options);
  }

  async *tags({ signal }: OperationOptions = {}): AsyncGenerator<string> {
    const session = (await this.#with("resolve")).at(-1) ?? (await this.#writer());
    const path = session.path(this.name.path);
    const pages = listPages(session, {
      action: `list the tags of ${familiarName(this.name)}`,
      target: `/${path}/tags/list?n=1000`,
      scopes: pull(path),
      signal,
    });
    let count = 0;
    for await (const { document } of pages) {
      const tags = document.at("tags").optional((c) => c.list(maxTags, (each) => each.string(255)));
      for (const tag of tags ?? []) {
        if (++count > maxTags) {
          throw new Fault("exhausted", `${canonicalName(this.name)} has more than ${maxTags} tags`);
        }
        // A text that cannot be asked for as a tag is left out.
        if (tagPattern.test(tag)) yield tag;
      }
    }
  }

  async referrers(
    subject: Digest,
    {
      artifactType,
      signal,
    }: OperationOptions & { readonly artifactType?: string | undefined } = {},
  ): Promise<readonly Descriptor[]> {
    return this.#first("resolve", async (session) => {
      const path = session.path(this.name.path);
      const about = familiarName(this.name);
      const query = { path, about, subject, artifactType, scopes: pull(path), signal };
      const listed = await listReferrers(session, query);
      if (listed) return ofType(listed, artifactType);
      return ofType((await this.#fallback(session, subject, signal)) ?? [], artifactType);
    });
  }

  async attachReferrer(
    bytes: Uint8Array,
    mediaType: string,
    options: OperationOptions = {},
  ): Promise<Digest> {
    const digest = sha256(bytes);
    const referrer = referrerEntry(bytes, digest);
    if (!referrer) {
      throw new Fault("invalid", `manifest ${digest} has no subject, so that it refers to nothing`);
    }
    const { subject } = await this.#putManifest(digest, bytes, mediaType, options);
    if (subject !== referrer.subject) {
      await this.#updateFallback(
        referrer.subject,
        { digest, entry: referrer.entry },
        options.signal,
      );
    }
    return digest;
  }

  async deleteManifest(digest: Digest, { signal }: OperationOptions = {}): Promise<void> {
    const session = await this.#writer();
    const path = session.path(this.name.path);
    const place = this.#place(session, digest, signal);
    // One that cannot be read can be deleted all the same.
    const document = await getManifest(session, place).catch(() => undefined);
    const answer = await session.call({
      action: `delete the manifest of ${place.about}`,
      method: "DELETE",
      target: `/${path}/manifests/${digest}`,
      scopes: [`repository:${path}:delete,pull`],
      expect: [200, 202, 204],
      signal,
    });
    await answer.discard();
    const subject = document && subjectOf(document.bytes, digest);
    if (!subject) return;
    const query = { path, about: place.about, subject, scopes: place.scopes, signal };
    if (await listReferrers(session, query)) return;
    await this.#updateFallback(subject, { digest }, signal);
  }

  async #putManifest(
    tagOrDigest: string,
    bytes: Uint8Array,
    mediaType: string,
    { signal }: OperationOptions,
  ): Promise<{ digest: Digest; subject: string | undefined }> {
    const session = await this.#writer();
    const place = this.#place(session, tagOrDigest, signal);
    const digest = isDigest(tagOrDigest) ? digestLike(tagOrDigest, bytes) : sha256(bytes);
    if (isDigest(tagOrDigest))
      requireDigest(`the manifest for ${place.about}`, tagOrDigest, digest);
    if (bytes.byteLength > maxDocumentBytes) {
      throw new Fault(
        "exhausted",
        `the manifest for ${place.about} is larger than registries take`,
      );
    }
    const call: Call = {
      action: `push the manifest of ${place.about}`,
      method: "PUT",
      target: `/${place.path}/manifests/${tagOrDigest}`,
      scopes: [`repository:${place.path}:pull,push`],
      headers: [["Content-Type", mediaType]],
      body: bytes,
      expect: [200, 201, 202],
      signal,
    };
    const answer = await session.call(call).catch((error: unknown) => {
      throw withDigestAdvice(error, tagOrDigest);
    });
    await answer.discard();
    const told = answer.headers.get("docker-content-digest") ?? "";
    if (isDigest(told))
      requireDigest(
        `the manifest that ${answer.url.host} has stored`,
        digestLike(told, bytes),
        told,
      );
    return { digest, subject: answer.headers.get("oci-subject") };
  }

  #updateFallback(
    subject: Digest,
    change: { readonly digest: Digest; readonly entry?: Descriptor },
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const tag = fallbackTag(subject);
    const read = async () => {
      const session = await this.#writer();
      return readFallback(() => getManifest(session, this.#place(session, tag, signal)), tag);
    };
    const write = async (bytes: Uint8Array) => {
      await this.#putManifest(tag, bytes, indexType, { signal });
    };
    return updateFallback({ read, write }, change, this.#options.backoff, signal);
  }

  async #fallback(
    session: EndpointSession,
    subject: Digest,
    signal: AbortSignal | undefined,
  ): Promise<readonly Descriptor[] | undefined> {
    const tag = fallbackTag(subject);
    const index = await readFallback(
      () => getManifest(session, this.#place(session, tag, signal)),
      `the referrers of ${subject}`,
    );
    return index?.manifests;
  }

  #place(
    session: EndpointSession,
    reference: string,
    signal: AbortSignal | undefined,
  ): ManifestPlace {
    const isTag = !isDigest(reference);
    if (isTag && !tagPattern.test(reference)) {
      throw new Fault("invalid", `"${reference.slice(0, 150)}" is neither a tag nor a digest`);
    }
    const path = session.path(this.name.path);
    const about = `${familiarName(this.name)}${isTag ? ":" : "@"}${reference}`;
    return { about, path, reference, scopes: pull(path), signal };
  }

  #read<T>(
    tagOrDigest: string,
    signal: AbortSignal | undefined,
    work: (session: EndpointSession, place: ManifestPlace) => Promise<T>,
  ): Promise<T> {
    return this.#first(isDigest(tagOrDigest) ? "pull" : "resolve", (session) =>
      work(session, this.#place(session, tagOrDigest, signal)),
    );
  }

  /** `work` at one endpoint after the other until one succeeds; the failure of the last one counts. */
  async #first<T>(
    capability: Capability,
    work: (session: EndpointSession) => Promise<T>,
  ): Promise<T> {
    const { log = silentLog } = this.#options;
    const sessions = await this.#with(capability);
    for (const [index, session] of sessions.entries()) {
      try {
        return await work(session);
      } catch (error) {
        if (index === sessions.length - 1 || isFault(error, "canceled")) throw error;
        log.warn("a mirror does not help, trying the next", {
          mirror: session.endpoint.base,
          error,
        });
      }
    }
    throw new Fault("unsupported", `no host for ${canonicalName(this.name)} may "${capability}"`);
  }

  async #with(capability: Capability): Promise<EndpointSession[]> {
    const sessions = await this.#options.sessions();
    return sessions.filter(({ endpoint }) => endpoint.capabilities.has(capability));
  }

  /** The first that takes pushes, as with containerd. */
  async #writer(): Promise<EndpointSession> {
    const [session] = await this.#with("push");
    if (session) return session;
    throw new Fault(
      "unsupported",
      `no host of ${canonicalName(this.name)} is configured for pushes`,
    );
  }
}

/** docker-registry 2.8 knows manifests by sha256 alone, and says of others that they do not match. */
function withDigestAdvice(error: unknown, reference: string): unknown {
  const isOther = isDigest(reference) && digestAlgorithm(reference) !== "sha256";
  if (!(error instanceof Fault) || !isOther || !hasStatus(error, 400)) return error;
  return new Fault(
    error.code,
    `${error.message}; many registries take manifests by sha256 digests only`,
    { ...defined({ about: error.about }), cause: error },
  );
}

const indexType = "application/vnd.oci.image.index.v1+json";

function pull(path: string): readonly string[] {
  return [`repository:${path}:pull`];
}

async function sizeOf(
  session: EndpointSession,
  repository: string,
  digest: Digest,
  signal: AbortSignal | undefined,
  actions = "pull",
): Promise<number> {
  const path = session.path(repository);
  const answer = await session.call({
    action: `look for blob ${digest}`,
    method: "HEAD",
    target: `/${path}/blobs/${digest}`,
    scopes: [`repository:${path}:${actions}`],
    expect: [200],
    signal,
  });
  await answer.discard();
  const size = Number(answer.headers.get("content-length"));
  return Number.isSafeInteger(size) && size >= 0 ? size : 0;
}

function subjectOf(bytes: Uint8Array, digest: Digest): Digest | undefined {
  try {
    return referrerEntry(bytes, digest)?.subject;
  } catch {
    return undefined;
  }
}
