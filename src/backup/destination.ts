import { normalize } from "node:path";
import { Fault } from "#base";
import { familiarString, parseReference, type Reference } from "#image";

/** Where backups are kept. */
export type Destination =
  | { readonly kind: "directory"; readonly path: string }
  | { readonly kind: "registry"; readonly repository: Reference }
  | { readonly kind: "s3"; readonly bucket: string; readonly prefix: string };

/** A destination, and the backup of it that was named. */
export interface ParsedDestination {
  readonly destination: Destination;
  readonly tag: string | undefined;
}

/**
 * "/DIRECTORY", "s3://BUCKET[/PREFIX]" or "[HOST/]REPOSITORY[:TAG]"; anything else is `invalid`, as
 * are a digest and a path that is not absolute.
 */
export function parseDestination(text: string): ParsedDestination {
  if (text.startsWith("/")) {
    const path = normalize(text).replace(/(.)\/$/, "$1");
    return { destination: { kind: "directory", path }, tag: undefined };
  }
  if (text.startsWith("s3://")) return { destination: parseBucket(text), tag: undefined };
  if (/^\.|^[a-z0-9]+:\/\//.test(text)) {
    throw new Fault(
      "invalid",
      `"${text}" is no place for backups: an absolute directory, s3://BUCKET/PREFIX or REGISTRY/REPOSITORY is expected`,
      { about: text },
    );
  }
  const { digest, tag, ...repository } = parseReference(text);
  if (digest !== undefined)
    throw new Fault("invalid", `"${text}" has a digest: name a backup by its tag`, { about: text });
  return { destination: { kind: "registry", repository }, tag };
}

function parseBucket(text: string): Destination {
  const [bucket = "", ...rest] = text.slice("s3://".length).replace(/\/+$/, "").split("/");
  const prefix = rest.join("/");
  const isKey = rest.every((part) => /^[A-Za-z0-9_.-]+$/.test(part) && !/^\.+$/.test(part));
  if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket) && isKey)
    return { kind: "s3", bucket, prefix };
  throw new Fault(
    "invalid",
    `"${text}" is no place in a bucket: s3://BUCKET/PREFIX is expected, of letters, digits, ".", "_" and "-"`,
    { about: text },
  );
}

/** The destination as it is written, the same for all ways to write it. */
export function destinationText(destination: Destination): string {
  if (destination.kind === "directory") return destination.path;
  if (destination.kind === "registry") return familiarString(destination.repository);
  const { bucket, prefix } = destination;
  return `s3://${bucket}${prefix === "" ? "" : `/${prefix}`}`;
}
