import { Fault } from "#base";
import { parseReference } from "#image";
import type { Query } from "./query.ts";

/**
 * The name that an image is to have, of the parameters `repo` and `tag`; undefined without `repo`.
 * `invalid`, in Docker's words, for what is not a name with a tag.
 */
export function repoTag(query: Query): string | undefined {
  const repository = query.text("repo");
  const tag = query.text("tag");
  if (repository === undefined) return undefined;
  const { digest, tag: ownTag } = parseReference(repository);
  if (digest !== undefined)
    throw new Fault("invalid", "cannot import digest reference", { about: repository });
  if (tag === undefined) return repository;
  // The parameter comes before the tag that stands in the name.
  const name = ownTag === undefined ? repository : repository.slice(0, -ownTag.length - 1);
  return `${name}:${checkTag(tag)}`;
}

/** A tag, or a digest in its place; `invalid` for any other text. */
export function checkTag(tag: string): string {
  if (/^\w[\w.-]{0,127}$/.test(tag) || tag.includes(":")) return tag;
  throw new Fault("invalid", "invalid tag format", { about: tag });
}
