import type { CachedStep } from "./cache-store.ts";

/** Words for the parts of a key; others are their own. */
const words: Readonly<Record<string, string>> = {
  argv: "the command",
  base: "the step below it gave other files",
  cwd: "the working directory",
  user: "the user",
  platform: "the platform",
  network: "the network",
  hosts: "the extra hosts",
  mounts: "the mounts",
  destination: "the destination",
  parts: "the sources",
  chown: "--chown",
  chmod: "--chmod",
  exclude: "--exclude",
};

/**
 * Why a step ran although a build before had one like it: the first part of its key that differs.
 * `before`: what the cache has of steps that are shown the same, the latest first.
 */
export function whyRun(
  parts: Readonly<Record<string, string>>,
  before: readonly Pick<CachedStep, "parts">[],
): string {
  const [nearest] = before
    .map((step) => ({ step, changed: changedParts(parts, step.parts) }))
    .toSorted((a, b) => a.changed.length - b.changed.length);
  const [first] = nearest?.changed ?? [];
  if (!nearest) return "no build before had this step";
  if (first === undefined) return "its result is not in the cache any more";
  return reasonFor(first, parts[first], nearest.step.parts[first]);
}

function reasonFor(part: string, now: string | undefined, before: string | undefined): string {
  if (part === "base") return words.base ?? part;
  if (part === "env") return `the environment changed: ${changedVariables(now, before).join(", ")}`;
  if (/^(source|mount) \d+$/.test(part)) return "files that it reads have changed";
  return `${words[part] ?? part} changed`;
}

/** Files before what is below, since they are what a user has changed. */
function changedParts(
  now: Readonly<Record<string, string>>,
  before: Readonly<Record<string, string>>,
): readonly string[] {
  const names = new Set([...Object.keys(now), ...Object.keys(before)]);
  const changed = [...names].filter((name) => now[name] !== before[name]);
  return changed.toSorted((a, b) => Number(a === "base") - Number(b === "base"));
}

/** The names alone: values may be secret. */
function changedVariables(now: string | undefined, before: string | undefined): readonly string[] {
  const read = (text: string | undefined) => new Set<string>(text ? JSON.parse(text) : []);
  const [mine, theirs] = [read(now), read(before)];
  const different = [...mine, ...theirs].filter((each) => !mine.has(each) || !theirs.has(each));
  return [...new Set(different.map((each) => each.split("=", 1)[0] ?? ""))];
}
