import { defined, Fault } from "#base";
import { type Digest, parseDigest } from "./digest.ts";

/**
 * The name of an image, all parts spelled out: "debian:12" is domain "docker.io",
 * path "library/debian", tag "12". Grammar and familiar forms as in
 * github.com/distribution/reference, which every Docker client follows.
 */
export interface Reference {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

const defaultDomain = "docker.io";
const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const label = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const domainPattern = new RegExp(`^(?:${label}(?:\\.${label})*|\\[[0-9a-fA-F:]+\\])(?::[0-9]+)?$`);
const tagPattern = /^\w[\w.-]{0,127}$/;
const maxName = 255;

function refuse(text: string, why: string): never {
  const shown = text.length > 300 ? `${text.slice(0, 300)}...` : text;
  throw new Fault("invalid", `invalid reference format: "${shown}": ${why}`, { about: shown });
}

/**
 * Reads "name[:tag][@digest]" by Docker's familiar rules: without a domain it is docker.io, without
 * a path there "library/". `invalid` for any other text, and for 64 hexadecimal digits, which are
 * an id.
 */
export function parseReference(text: string): Reference {
  if (text === "") refuse(text, "it is empty");
  if (/^[0-9a-f]{64}$/.test(text))
    throw new Fault(
      "invalid",
      `invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`,
      { about: text },
    );
  if (text.length > 2048) refuse(text, "it is too long");
  const { rest, digest } = cutDigest(text);
  const { name, tag } = cutTag(rest);
  const { domain, path } = splitName(name);
  if (path !== path.toLowerCase()) {
    const why = `repository name (${path}) must be lowercase`;
    throw new Fault("invalid", `invalid reference format: ${why}`, { about: text });
  }
  if (!domainPattern.test(domain)) refuse(text, `"${domain}" is not a registry host`);
  for (const each of path.split("/")) {
    if (!component.test(each)) refuse(text, `"${each}" cannot be part of a repository name`);
  }
  if (domain.length + 1 + path.length > maxName) {
    refuse(text, `the repository name is longer than ${maxName} characters`);
  }
  if (tag !== undefined && !tagPattern.test(tag)) refuse(text, `"${tag}" is not a tag`);
  return {
    domain,
    path,
    ...defined({ tag, digest }),
  };
}

function cutDigest(text: string): { rest: string; digest?: Digest } {
  const at = text.indexOf("@");
  if (at < 0) return { rest: text };
  const written = text.slice(at + 1);
  try {
    return { rest: text.slice(0, at), digest: parseDigest(written) };
  } catch (error) {
    if (error instanceof Fault && error.code === "unsupported") throw error;
    return refuse(text, `"${written}" is not a digest`);
  }
}

function cutTag(text: string): { name: string; tag?: string } {
  const colon = text.lastIndexOf(":");
  if (colon < 0 || text.indexOf("/", colon) >= 0) return { name: text };
  return { name: text.slice(0, colon), tag: text.slice(colon + 1) };
}

function splitName(name: string): { domain: string; path: string } {
  const slash = name.indexOf("/");
  const first = name.slice(0, slash);
  const isDomain =
    slash > 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  let domain = isDomain ? first : defaultDomain;
  let path = isDomain ? name.slice(slash + 1) : name;
  if (domain === "index.docker.io") domain = defaultDomain;
  if (domain === defaultDomain && !path.includes("/")) path = `library/${path}`;
  return { domain, path };
}

/** The repository alone in the short form that people write: "debian", "example.org/app". */
export function familiarName(reference: Reference): string {
  const { domain, path } = reference;
  if (domain !== defaultDomain) return `${domain}/${path}`;
  return /^library\/[^/]+$/.test(path) ? path.slice("library/".length) : path;
}

/** The repository alone, spelled out: "docker.io/library/debian". */
export function canonicalName(reference: Reference): string {
  return `${reference.domain}/${reference.path}`;
}

/** Familiar, with tag and digest: "debian:12", "debian@sha256:...". */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

/** Spelled out, with tag and digest; `parseReference` reads it back to the same reference. */
export function canonicalString(reference: Reference): string {
  return canonicalName(reference) + suffix(reference);
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}

/** The reference with ":latest" when it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: "latest" };
}
