import { inParallel, KeyedLock } from "#base";
import { type Digest, digestAlgorithm, isDigest, maxDocumentBytes, sha256 } from "#image";
import {
  digestOfNames,
  isRepositoryName,
  isTag,
  layout,
  listDigests,
  type RepositoryName,
  type Tag,
} from "./layout.ts";
import type { Leases, Pin } from "./leases.ts";
import {
  describeReferrer,
  type ManifestDocument,
  readStoredDocument,
} from "./manifest-document.ts";
import type { ObjectStore } from "./object-store.ts";
import { RegistryError } from "./registry-error.ts";
import type { ReferrerDescriptor } from "./registry-server.ts";

const maxLink = 256;
/** Requests to the store at a time, for one request of a client. */
export const storeRequests = 16;

export interface StoredManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
}

/**
 * Repositories as links to blobs. A repository has a blob, or a manifest, when it has a link to it
 * and the bytes are there. Links are written after their targets, the tag last, each at once: a
 * crash leaves the old state and something to collect.
 *
 * Changes to manifests and tags of one repository happen one after the other; blobs of all
 * repositories side by side. Every answer that tells a client "it is here" takes a lease on the
 * object.
 */
export class Repositories {
  readonly #store: ObjectStore;
  readonly #leases: Leases;
  readonly #lock = new KeyedLock();

  constructor(store: ObjectStore, leases: Leases) {
    this.#store = store;
    this.#leases = leases;
  }

  /** Alone with a repository's manifests and tags. */
  exclusively<T>(name: RepositoryName, work: () => Promise<T>): Promise<T> {
    return this.#lock.run(name, work);
  }

  /** The size of a blob that the repository has; while it is not collected, for the grace time, it stays. */
  async blobSize(name: RepositoryName, digest: Digest): Promise<number | undefined> {
    const stored = await this.storedAs(name, digest);
    using pin = await this.#leases.pin([layout.blob(stored), layout.layer(name, digest)]);
    return await this.#pinnedSize(pin, layout.layer(name, digest), stored);
  }

  /**
   * The digest under which the bytes of a repository's blob are kept: its own, but where
   * docker-registry took a blob by sha512, it kept it under its sha256, to which the link leads.
   */
  async storedAs(name: RepositoryName, digest: Digest): Promise<Digest> {
    if (digestAlgorithm(digest) === "sha256") return digest;
    return (await this.#readLink(layout.layer(name, digest))) ?? digest;
  }

  /**
   * Gives the repository a blob that is kept under the digest `stored`; false when it is not, or
   * not any more.
   */
  async linkBlob(name: RepositoryName, digest: Digest, stored = digest): Promise<boolean> {
    // docker-registry serves the one link only beside the other.
    const links = [...new Set([stored, digest])].map((each) => layout.layer(name, each));
    using pin = await this.#leases.pin([layout.blob(stored), ...links]);
    if (!(await this.#store.stat(layout.blob(stored)))) {
      pin.lapse();
      return false;
    }
    for (const link of links) await this.#link(link, stored);
    return true;
  }

  /**
   * Takes the name off the blob in this repository only; false when the repository did not have it.
   */
  async unlinkBlob(name: RepositoryName, digest: Digest): Promise<boolean> {
    const key = layout.layer(name, digest);
    return await this.exclusively(name, async () => {
      using pin = await this.#leases.pin([key]);
      pin.lapse();
      if (!(await this.#store.stat(key))) return false;
      await this.#store.delete(key);
      return true;
    });
  }

  /** Moves a whole object, whose digest was checked, to its name, and gives it to the repository. */
  async adoptBlob(name: RepositoryName, digest: Digest, from: string): Promise<void> {
    const blob = layout.blob(digest);
    using _pin = await this.#leases.pin([blob, layout.layer(name, digest)]);
    if (!(await this.#store.stat(blob))) await this.#store.move(from, blob);
    await this.#link(layout.layer(name, digest), digest);
  }

  async resolveTag(name: RepositoryName, tag: Tag): Promise<Digest | undefined> {
    return await this.#readLink(layout.currentTag(name, tag));
  }

  async manifest(name: RepositoryName, digest: Digest): Promise<StoredManifest | undefined> {
    using pin = await this.#leases.pin([layout.blob(digest), layout.revision(name, digest)]);
    const isLinked = (await this.#store.stat(layout.revision(name, digest))) !== undefined;
    const bytes = isLinked
      ? await this.#store.get(layout.blob(digest), maxDocumentBytes)
      : undefined;
    if (!bytes) {
      pin.lapse();
      return undefined;
    }
    return { bytes, mediaType: readStoredDocument(bytes).mediaType, digest };
  }

  /**
   * Stores a manifest and, with `tag`, points the tag at it. Everything that it refers to must be in the
   * repository (MANIFEST_BLOB_UNKNOWN) unless `isPartial`, as in a cache.
   */
  async putManifest(
    name: RepositoryName,
    manifest: {
      readonly bytes: Uint8Array;
      readonly document: ManifestDocument;
      /** The digest of the bytes, as it was checked. Default: by sha256. */
      readonly digest?: Digest | undefined;
      readonly tag?: Tag | undefined;
      readonly isPartial?: boolean;
    },
  ): Promise<Digest> {
    const { bytes, document, tag, digest = sha256(bytes) } = manifest;
    const needed: (readonly [link: string, blob: string])[] = [];
    for (const { kind, digest: each } of document.references) {
      needed.push(
        kind === "blob"
          ? [layout.layer(name, each), layout.blob(await this.storedAs(name, each))]
          : [layout.revision(name, each), layout.blob(each)],
      );
    }
    const own = [layout.blob(digest), layout.revision(name, digest)];
    return await this.exclusively(name, async () => {
      using pin = await this.#leases.pin([...own, ...needed.flat()]);
      if (!manifest.isPartial) await this.#requireReferences(pin, document, needed);
      const blob = layout.blob(digest);
      if (!(await this.#store.stat(blob))) await this.#store.write(blob, bytes);
      const links = [layout.revision(name, digest)];
      if (document.subject) links.push(layout.referrer(name, document.subject, digest));
      if (tag) links.push(layout.tagIndex(name, tag, digest));
      await Promise.all(links.map((link) => this.#link(link, digest)));
      if (tag) await this.#store.write(layout.currentTag(name, tag), Buffer.from(digest));
      return digest;
    });
  }

  /**
   * Removes a manifest's name in this repository and every tag that points at it; false when the
   * repository does not have it.
   */
  async deleteManifest(name: RepositoryName, digest: Digest): Promise<boolean> {
    return await this.exclusively(name, async () => {
      using pin = await this.#leases.pin([layout.blob(digest), layout.revision(name, digest)]);
      pin.lapse();
      if (!(await this.#store.stat(layout.revision(name, digest)))) return false;
      const tags = (await Array.fromAsync(this.#store.list(layout.tags(name)))).map((e) => e.name);
      await inParallel(tags.filter(isTag), storeRequests, async (tag) => {
        if ((await this.resolveTag(name, tag)) === digest) await this.#untag(name, tag);
      });
      await this.removeRevision(name, digest);
      return true;
    });
  }

  /** The links of a manifest that no tag points at. Only inside `exclusively`. */
  async removeRevision(name: RepositoryName, digest: Digest): Promise<void> {
    const bytes = await this.#store.get(layout.blob(digest), maxDocumentBytes);
    const subject = bytes && subjectOf(bytes);
    if (subject) await this.#store.delete(layout.referrer(name, subject, digest));
    await this.#store.delete(layout.revision(name, digest));
  }

  async deleteTag(name: RepositoryName, tag: Tag): Promise<boolean> {
    return await this.exclusively(name, async () => {
      if (!(await this.#store.stat(layout.currentTag(name, tag)))) return false;
      await this.#untag(name, tag);
      return true;
    });
  }

  /** Ascending by bytes, from the first after `after` on. */
  async *tags(name: RepositoryName, after = ""): AsyncGenerator<Tag> {
    for await (const entry of this.#store.list(layout.tags(name), { after })) {
      // A crash, or docker-registry, may leave the directory of a tag without it.
      if (isTag(entry.name) && (await this.#store.stat(layout.currentTag(name, entry.name)))) {
        yield entry.name;
      }
    }
  }

  /** Whether there is anything of that name. */
  async exists(name: RepositoryName): Promise<boolean> {
    for await (const _ of this.#store.list(layout.tags(name))) return true;
    for (const each of [layout.revisions(name), layout.layers(name)]) {
      for await (const _ of listDigests(this.#store, each)) return true;
    }
    return false;
  }

  /**
   * Every repository that has a manifest or a blob, by the bytes of the names; a parent comes
   * before the names below it.
   */
  async *repositories(after = ""): AsyncGenerator<RepositoryName> {
    const listed = (part: string) => part === "_manifests" || part === "_layers";
    yield* this.#below("", after === "" ? [] : after.split("/"), listed);
  }

  /** Also those that have only an upload that was begun, or the leftovers of a crash. */
  async *traces(): AsyncGenerator<RepositoryName> {
    yield* this.#below("", [], (part) => part.startsWith("_"));
  }

  /** Removes leftovers of a crash: entries of tags and of referrers that lead to no manifest. */
  async tidy(name: RepositoryName): Promise<void> {
    await this.exclusively(name, async () => {
      for await (const { name: tag } of this.#store.list(layout.tags(name))) {
        if (!isTag(tag) || (await this.#store.stat(layout.currentTag(name, tag)))) continue;
        await this.#untag(name, tag);
      }
      const directory = layout.referrerSubjects(name);
      for await (const { key } of this.#store.walk(directory)) {
        const digest = digestOfNames(...key.split("/").slice(-3, -1));
        const revision = digest && layout.revision(name, digest);
        if (!revision || !(await this.#store.stat(revision))) await this.#store.delete(key);
      }
    });
  }

  /** The manifests about a manifest, ascending by digest, from the first after `after` on. */
  async *referrers(
    name: RepositoryName,
    subject: Digest,
    after?: Digest,
  ): AsyncGenerator<ReferrerDescriptor> {
    for await (const digest of listDigests(this.#store, layout.referrers(name, subject), after)) {
      const stored = await this.manifest(name, digest);
      if (!stored) continue;
      yield describeReferrer(readStoredDocument(stored.bytes), {
        digest: stored.digest,
        size: stored.bytes.length,
      });
    }
  }

  async *#below(
    parent: string,
    after: readonly string[],
    counts: (part: string) => boolean,
  ): AsyncGenerator<RepositoryName> {
    const directory = parent === "" ? layout.repositories : `${layout.repositories}/${parent}`;
    const [first, ...rest] = after;
    const children: string[] = [];
    let has = false;
    for await (const { name, kind } of this.#store.list(directory)) {
      if (kind !== "directory") continue;
      if (counts(name)) has = true;
      else if (!name.startsWith("_") && (first === undefined || name >= first)) children.push(name);
    }
    if (has && after.length === 0 && isRepositoryName(parent)) yield parent;
    for (const child of children) {
      const path = parent === "" ? child : `${parent}/${child}`;
      // Below the first name the rest of `after` counts; the name itself was given already.
      if (child === first && rest.length === 0) yield* this.#childrenOf(path, counts);
      else yield* this.#below(path, child === first ? rest : [], counts);
    }
  }

  async *#childrenOf(
    path: string,
    counts: (part: string) => boolean,
  ): AsyncGenerator<RepositoryName> {
    for await (const { name, kind } of this.#store.list(`${layout.repositories}/${path}`)) {
      if (kind === "directory" && !name.startsWith("_"))
        yield* this.#below(`${path}/${name}`, [], counts);
    }
  }

  async #requireReferences(
    pin: Pin,
    document: ManifestDocument,
    needed: readonly (readonly [link: string, blob: string])[],
  ): Promise<void> {
    const missing: string[] = [];
    await inParallel(needed.entries(), storeRequests, async ([index, keys]) => {
      if (document.references[index]?.isForeign) return;
      const found = await Promise.all(keys.map((key) => this.#store.stat(key)));
      if (found.includes(undefined)) missing.push(document.references[index]?.digest ?? "");
    });
    if (missing.length === 0) return;
    pin.lapse();
    throw new RegistryError(
      "MANIFEST_BLOB_UNKNOWN",
      `the manifest refers to blobs or manifests that this repository does not have: ${missing.slice(0, 3).join(", ")}; push them first`,
      { detail: missing.slice(0, 100).map((digest) => ({ digest })) },
    );
  }

  async #pinnedSize(pin: Pin, link: string, digest: Digest): Promise<number | undefined> {
    const [linked, stat] = await Promise.all([
      this.#store.stat(link),
      this.#store.stat(layout.blob(digest)),
    ]);
    if (linked && stat) return stat.size;
    pin.lapse();
    return undefined;
  }

  /** The tag's pointer goes first: without it the rest is not a tag. */
  async #untag(name: RepositoryName, tag: Tag): Promise<void> {
    await this.#store.delete(layout.currentTag(name, tag));
    for await (const { key } of this.#store.walk(layout.tag(name, tag))) {
      await this.#store.delete(key);
    }
  }

  async #readLink(key: string): Promise<Digest | undefined> {
    const text = (await this.#store.get(key, maxLink))?.toString("latin1").trim() ?? "";
    return isDigest(text) ? text : undefined;
  }

  async #link(key: string, digest: Digest): Promise<void> {
    if (!(await this.#store.stat(key))) await this.#store.write(key, Buffer.from(digest));
  }
}

function subjectOf(bytes: Uint8Array): Digest | undefined {
  try {
    return readStoredDocument(bytes).subject;
  } catch {
    // A manifest that cannot be read was never listed as a referrer.
    return undefined;
  }
}
