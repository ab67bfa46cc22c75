import { Fault, shortId } from "#base";
import {
  canonicalName,
  type Digest,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#image";

export type ImageRemoval = { readonly untagged: string } | { readonly deleted: Digest };

/** A container that was made of an image. */
export interface ImageUser {
  readonly id: string;
  readonly running: boolean;
}

/** How to remove an image. */
export interface RemoveOptions {
  readonly force: boolean;
  /** The containers made of an image, stopped ones too. */
  readonly usersOf: (id: Digest) => readonly ImageUser[];
}

interface Request {
  readonly id: Digest;
  /** As the user wrote it. */
  readonly text: string;
  /** All names of the image. */
  readonly names: readonly Reference[];
  readonly users: readonly ImageUser[];
  readonly force: boolean;
}

export interface Removal {
  readonly untag: readonly Reference[];
  /** Whether the image goes with its names. */
  readonly deletes: boolean;
}

/**
 * The steps of `rmi NAME`, as in moby's daemon/images/image_delete.go. Names with a digest go with
 * the last tag of their repository. A container that uses the image stops the removal of its last
 * name unless forced, and then a running one keeps the image.
 */
export function removeName({ id, text, names, users, force }: Request): Removal {
  const reference = nameAmong(names, text);
  const [user] = users;
  if (user && !force && isSingle(names)) {
    throw conflict(
      `unable to remove repository reference "${text}" (must force) - container ${shortId(user.id)} is using its referenced image ${shortId(id)}`,
      text,
    );
  }
  const rest = names.filter((each) => each !== reference);
  const repository = rest.filter((each) => canonicalName(each) === canonicalName(reference));
  const isLastTag =
    reference.digest === undefined && repository.every(({ digest }) => digest !== undefined);
  const untag = isLastTag ? [reference, ...repository] : [reference];
  const deletes = untag.length === names.length && !users.some(({ running }) => running);
  return { untag, deletes };
}

/**
 * The steps of `rmi ID`: all names go, which must be one tag (and digests of its repository) unless
 * forced.
 */
export function removeId({ id, names, users, force }: Request): Removal {
  const shown = shortId(id);
  const running = users.find((user) => user.running);
  if (running) {
    throw conflict(
      `unable to delete ${shown} (cannot be forced) - image is being used by running container ${shortId(running.id)}`,
      id,
    );
  }
  if (!force && !isSingle(names)) {
    const several = new Set(names.map(canonicalName)).size > 1;
    const where = several ? "multiple repositories" : "one repository by several tags";
    throw conflict(
      `unable to delete ${shown} (must be forced) - image is referenced in ${where}`,
      id,
    );
  }
  const [user] = users;
  if (user && !force) {
    throw conflict(
      `unable to delete ${shown} (must be forced) - image is being used by stopped container ${shortId(user.id)}`,
      id,
    );
  }
  return { untag: names, deletes: true };
}

function nameAmong(names: readonly Reference[], text: string): Reference {
  const wanted = withDefaultTag(parseReference(text));
  const { domain, path, digest } = wanted;
  const key = familiarString(digest === undefined ? wanted : { domain, path, digest });
  const found = names.find((each) => familiarString(each) === key);
  if (found) return found;
  const known = names.map(familiarString).join(", ");
  throw new Fault(
    "not_found",
    `the image has no name "${text}"; remove it by its id, or as ${known}`,
    {
      about: text,
    },
  );
}

/** One tag, with nothing but digests of the same repository beside it. */
function isSingle(names: readonly Reference[]): boolean {
  const tags = names.filter(({ digest }) => digest === undefined);
  return tags.length <= 1 && new Set(names.map(canonicalName)).size <= 1;
}

function conflict(message: string, about: string): Fault {
  return new Fault("conflict", message, { about });
}
