import {
  canonicalString,
  familiarString,
  formatPlatform,
  type Platform,
  parseReference,
} from "#image";
import type { PlannedStage } from "./planned-stage.ts";

/** What stands for the name of a stage, of an image in FROM, or in "from": `--build-context`. */
export type NamedContext =
  /** A directory of the client, which the build knows by the same name. */
  | { readonly kind: "directory" }
  /** Another image; with `layout` one of an OCI layout that the client has sent. */
  | { readonly kind: "image"; readonly reference: string; readonly layout?: string }
  /** The result of another build. */
  | { readonly kind: "stage"; readonly stage: PlannedStage };

/** Named contexts as `--build-context` gives them. */
export type NamedContexts = ReadonlyMap<string, NamedContext>;

/** An image that a build needs. */
export interface WantedImage {
  /** With a tag or digest, and the registry: "docker.io/library/debian:12". */
  readonly reference: string;
  readonly platform: Platform;
  readonly layout?: string;
}

/** Tells wanted images apart. */
export function imageKey({ reference, platform, layout }: WantedImage): string {
  return JSON.stringify([reference, formatPlatform(platform), layout]);
}

/** The context that stands for a name in FROM or "from"; images are found however they are written. */
export function contextFor(
  contexts: NamedContexts,
  name: string,
): { readonly name: string; readonly context: NamedContext } | undefined {
  if (contexts.size === 0) return undefined;
  for (const each of spellings(name)) {
    const context = contexts.get(each);
    if (context) return { name: each, context };
  }
  return undefined;
}

function spellings(name: string): string[] {
  const reference = readReference(name);
  const short = reference && familiarString(reference).replace(/:latest$/, "");
  return [name, name.toLowerCase(), ...(short === undefined ? [] : [short])];
}

function readReference(name: string) {
  try {
    return parseReference(name);
  } catch {
    return undefined;
  }
}

/** An image's name as it is asked for: with its registry, and a tag or digest; an image's id as it is. */
export function fullReference(name: string): string {
  if (/^sha256:[0-9a-f]{64}$/.test(name)) return name;
  const reference = parseReference(name);
  const isBare = reference.tag === undefined && reference.digest === undefined;
  return canonicalString(isBare ? { ...reference, tag: "latest" } : reference);
}
