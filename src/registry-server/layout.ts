import { randomUUID } from "node:crypto";
import {
  type Digest,
  type DigestAlgorithm,
  digestAlgorithm,
  digestAlgorithms,
  digestHex,
  digestPath,
  isDigest,
} from "#image";
import type { ObjectStore } from "./object-store.ts";

/** A repository's name by the grammar; only such a name may become part of a key of the store. */
export type RepositoryName = string & { readonly __brand: "RepositoryName" };
export type Tag = string & { readonly __brand: "Tag" };
export type UploadId = string & { readonly __brand: "UploadId" };

const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagPattern = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const uploadPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const maxName = 255;

/** distribution-spec 1.1, "Pulling manifests": <name>, at most 255 characters. */
export function isRepositoryName(text: string): text is RepositoryName {
  return text.length <= maxName && text.split("/").every((each) => component.test(each));
}

/** distribution-spec 1.1, "Pulling manifests": <reference> as a tag. */
export function isTag(text: string): text is Tag {
  return tagPattern.test(text);
}

/** A UUID in lower case, so that an id from a URL is a safe name of a directory. */
export function isUploadId(text: string): text is UploadId {
  return uploadPattern.test(text);
}

/** Random; a client that does not know it cannot reach the upload. */
export function newUploadId(): UploadId {
  return randomUUID() as UploadId;
}

const root = "docker/registry/v2";

/** The keys of docker distribution's layout, version 2 (registry/storage/paths.go there). */
export const layout = {
  repositories: `${root}/repositories`,
  blobs: `${root}/blobs`,
  blob: (digest: Digest) =>
    `${root}/blobs/${digestAlgorithm(digest)}/${digestHex(digest).slice(0, 2)}/${digestHex(digest)}/data`,
  repository: (name: RepositoryName) => `${root}/repositories/${name}`,
  layers: (name: RepositoryName) => `${layout.repository(name)}/_layers`,
  layer: (name: RepositoryName, digest: Digest) =>
    `${layout.repository(name)}/_layers/${digestPath(digest)}/link`,
  revisions: (name: RepositoryName) => `${layout.repository(name)}/_manifests/revisions`,
  revision: (name: RepositoryName, digest: Digest) =>
    `${layout.repository(name)}/_manifests/revisions/${digestPath(digest)}/link`,
  tags: (name: RepositoryName) => `${layout.repository(name)}/_manifests/tags`,
  tag: (name: RepositoryName, tag: Tag) => `${layout.tags(name)}/${tag}`,
  currentTag: (name: RepositoryName, tag: Tag) => `${layout.tag(name, tag)}/current/link`,
  tagIndex: (name: RepositoryName, tag: Tag, digest: Digest) =>
    `${layout.tag(name, tag)}/index/${digestPath(digest)}/link`,
  uploads: (name: RepositoryName) => `${layout.repository(name)}/_uploads`,
  upload: (name: RepositoryName, id: UploadId) => `${layout.uploads(name)}/${id}`,
  uploadData: (name: RepositoryName, id: UploadId) => `${layout.upload(name, id)}/data`,
  uploadStart: (name: RepositoryName, id: UploadId) => `${layout.upload(name, id)}/startedat`,
  /** Ours: docker-registry has no referrers API and leaves this alone. */
  referrerSubjects: (name: RepositoryName) => `${layout.repository(name)}/_referrers`,
  referrers: (name: RepositoryName, subject: Digest) =>
    `${layout.repository(name)}/_referrers/${digestPath(subject)}`,
  referrer: (name: RepositoryName, subject: Digest, digest: Digest) =>
    `${layout.repository(name)}/_referrers/${digestPath(subject)}/${digestPath(digest)}/link`,
} as const;

/** The digest that directory names stand for: the algorithm and, in it, the hexadecimal digits. */
export function digestOfNames(algorithm = "", hex = ""): Digest | undefined {
  const digest = `${algorithm}:${hex}`;
  return isDigest(digest) ? digest : undefined;
}

/** The digest of a key "<root>/blobs/sha256/ab/<hex>/data". */
export function digestOfBlobKey(key: string): Digest | undefined {
  if (!key.startsWith(`${layout.blobs}/`)) return undefined;
  const [algorithm, , hex, data, ...rest] = key.slice(layout.blobs.length + 1).split("/");
  return data === "data" && rest.length === 0 ? digestOfNames(algorithm, hex) : undefined;
}

/** The digests below a directory of `layout`, ascending as texts, from the first after `after` on. */
export async function* listDigests(
  store: Pick<ObjectStore, "list">,
  directory: string,
  after?: Digest,
): AsyncGenerator<Digest> {
  const from: DigestAlgorithm = after === undefined ? digestAlgorithms[0] : digestAlgorithm(after);
  for (const algorithm of digestAlgorithms.slice(digestAlgorithms.indexOf(from))) {
    const options = after !== undefined && algorithm === from ? { after: digestHex(after) } : {};
    for await (const { name } of store.list(`${directory}/${algorithm}`, options)) {
      const digest = digestOfNames(algorithm, name);
      if (digest) yield digest;
    }
  }
}
