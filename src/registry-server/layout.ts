import { randomUUID } from "node:crypto";
import { type Digest, digestHex, isDigest } from "#image";

/** A repository's name by the grammar: what reaches a key of the store, and nothing else does. */
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

export function isUploadId(text: string): text is UploadId {
  return uploadPattern.test(text);
}

export function newUploadId(): UploadId {
  return randomUUID() as UploadId;
}

const root = "docker/registry/v2";
const byDigest = (digest: Digest) => `sha256/${digestHex(digest)}`;

/** The keys of docker distribution's layout, version 2 (registry/storage/paths.go there). */
export const layout = {
  repositories: `${root}/repositories`,
  blobs: `${root}/blobs/sha256`,
  blob: (digest: Digest) =>
    `${root}/blobs/sha256/${digestHex(digest).slice(0, 2)}/${digestHex(digest)}/data`,
  repository: (name: RepositoryName) => `${root}/repositories/${name}`,
  layers: (name: RepositoryName) => `${layout.repository(name)}/_layers/sha256`,
  layer: (name: RepositoryName, digest: Digest) =>
    `${layout.repository(name)}/_layers/${byDigest(digest)}/link`,
  revisions: (name: RepositoryName) => `${layout.repository(name)}/_manifests/revisions/sha256`,
  revision: (name: RepositoryName, digest: Digest) =>
    `${layout.repository(name)}/_manifests/revisions/${byDigest(digest)}/link`,
  tags: (name: RepositoryName) => `${layout.repository(name)}/_manifests/tags`,
  tag: (name: RepositoryName, tag: Tag) => `${layout.tags(name)}/${tag}`,
  currentTag: (name: RepositoryName, tag: Tag) => `${layout.tag(name, tag)}/current/link`,
  tagIndex: (name: RepositoryName, tag: Tag, digest: Digest) =>
    `${layout.tag(name, tag)}/index/${byDigest(digest)}/link`,
  uploads: (name: RepositoryName) => `${layout.repository(name)}/_uploads`,
  upload: (name: RepositoryName, id: UploadId) => `${layout.uploads(name)}/${id}`,
  uploadData: (name: RepositoryName, id: UploadId) => `${layout.upload(name, id)}/data`,
  uploadStart: (name: RepositoryName, id: UploadId) => `${layout.upload(name, id)}/startedat`,
  /** Ours: docker-registry has no referrers API and leaves this alone. */
  referrerSubjects: (name: RepositoryName) => `${layout.repository(name)}/_referrers/sha256`,
  referrers: (name: RepositoryName, subject: Digest) =>
    `${layout.repository(name)}/_referrers/${byDigest(subject)}/sha256`,
  referrer: (name: RepositoryName, subject: Digest, digest: Digest) =>
    `${layout.repository(name)}/_referrers/${byDigest(subject)}/${byDigest(digest)}/link`,
} as const;

/** The digest that a directory name of 64 hexadecimal digits stands for. */
export function digestOfName(name: string): Digest | undefined {
  const digest = `sha256:${name}`;
  return isDigest(digest) ? digest : undefined;
}

/** The digest of a key "<root>/blobs/sha256/ab/<hex>/data". */
export function digestOfBlobKey(key: string): Digest | undefined {
  if (!key.startsWith(`${layout.blobs}/`) || !key.endsWith("/data")) return undefined;
  return digestOfName(key.slice(layout.blobs.length + 4, -"/data".length));
}
