import { Fault } from "#base";
import { formatPlatform, type Platform, parsePlatform } from "#image";

const levels = ["manifest", "manifest-descriptor", "index", "index-descriptor"] as const;

/** What an annotation is written to: a document, or the entry that leads to it. */
export type AnnotationLevel = (typeof levels)[number];

/** An annotation of an output. */
export interface Annotation {
  readonly level: AnnotationLevel;
  /** Of one platform's image alone. */
  readonly platform?: Platform;
  readonly key: string;
  readonly value: string;
}

/** BuildKit's attributes of an output: "annotation.KEY", "annotation-manifest[linux/amd64].KEY". */
const attribute = /^annotation(?:-([a-z-]+))?(?:\[([^\]]+)\])?\.(\S+)$/;

/** The annotations among the attributes of an output. `invalid` for a level that does not exist. */
export function readAnnotations(attributes: Iterable<readonly [string, string]>): Annotation[] {
  const found: Annotation[] = [];
  for (const [name, value] of attributes) {
    const [, level = "manifest", platform, key] = attribute.exec(name) ?? [];
    if (key === undefined) continue;
    if (!isLevel(level)) {
      throw new Fault("invalid", `unknown annotation type ${JSON.stringify(level)}`, {
        about: name,
      });
    }
    const isForAll = platform === undefined;
    found.push({ level, key, value, ...(isForAll ? {} : { platform: parsePlatform(platform) }) });
  }
  return found;
}

function isLevel(text: string): text is AnnotationLevel {
  return (levels as readonly string[]).includes(text);
}

/** Those of a level, and of a platform where the level has one; undefined when there are none. */
export function annotationsAt(
  annotations: readonly Annotation[],
  level: AnnotationLevel,
  platform?: Platform,
): Readonly<Record<string, string>> | undefined {
  const isMeant = (each: Annotation) =>
    each.level === level &&
    (!each.platform || (platform && formatPlatform(each.platform) === formatPlatform(platform)));
  const chosen = annotations.filter(isMeant).map(({ key, value }) => [key, value] as const);
  return chosen.length === 0 ? undefined : Object.fromEntries(chosen);
}
