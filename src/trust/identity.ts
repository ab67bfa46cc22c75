import {
  canonicalName,
  canonicalString,
  type JsonCursor,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#image";

/**
 * Which name a signature must have been made under for an image to carry it, as
 * containers-policy.json(5) has it under "signedIdentity". Takes the image's name and
 * the signed one; `explicit` when the policy spelled it out.
 */
export interface Identity {
  readonly explicit: boolean;
  matches(image: Reference, signed: Reference): boolean;
}

/** Reads "signedIdentity"; absent, it is matchRepoDigestOrExact. */
export function parseIdentity(cursor: JsonCursor): Identity {
  if (cursor.absent) return { explicit: false, matches: byDigestOrExact };
  const type = cursor.at("type").string(100);
  return { explicit: true, matches: matcher(cursor, type) };
}

function matcher(cursor: JsonCursor, type: string): Identity["matches"] {
  if (type === "matchRepoDigestOrExact") return byDigestOrExact;
  if (type === "matchExact") return sameName;
  if (type === "matchRepository") return sameRepository;
  if (type === "exactReference") {
    const wanted = withDefaultTag(cursor.at("dockerReference").as(parseReference));
    return (_image, signed) => sameName(wanted, signed);
  }
  if (type === "exactRepository") {
    const wanted = cursor.at("dockerRepository").as(parseReference);
    return (_image, signed) => sameRepository(wanted, signed);
  }
  if (type === "remapIdentity") {
    const prefix = cursor.at("prefix").string(1000);
    const signedPrefix = cursor.at("signedPrefix").string(1000);
    return (image, signed) => byDigestOrExact(remapped(image, prefix, signedPrefix), signed);
  }
  return cursor.at("type").fail(`is "${type}", which no policy knows`);
}

/** By tag the names must be the same; by digest the repository is enough, since the digest is checked anyway. */
function byDigestOrExact(image: Reference, signed: Reference): boolean {
  return image.digest === undefined ? sameName(image, signed) : sameRepository(image, signed);
}

function sameRepository(image: Reference, signed: Reference): boolean {
  return canonicalName(image) === canonicalName(signed);
}

function sameName(image: Reference, signed: Reference): boolean {
  return canonicalString(withDefaultTag(image)) === canonicalString(signed);
}

function remapped(image: Reference, prefix: string, signedPrefix: string): Reference {
  const name = canonicalName(image);
  const isWithin = name === prefix || name.startsWith(`${prefix}/`);
  if (!isWithin) return image;
  const { domain, path } = parseReference(signedPrefix + name.slice(prefix.length));
  return { ...image, domain, path };
}
