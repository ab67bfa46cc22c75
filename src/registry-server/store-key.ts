import { Fault } from "#base";

const segment = /^[A-Za-z0-9._-]{1,255}$/;
const maxKey = 1024;

/** A key by the rules of object-store.ts, or an `invalid` fault. */
export function requireKey(key: string): string {
  const fits =
    key.length <= maxKey &&
    key.split("/").every((each) => segment.test(each) && each !== "." && each !== "..");
  if (fits) return key;
  const shown = key.length > 100 ? `${key.slice(0, 100)}...` : key;
  throw new Fault("invalid", `${JSON.stringify(shown)} is not a key of a registry's store`, {
    about: shown,
  });
}

/** A directory to list: a key, or "" for the root. */
export function requireDirectory(directory: string): string {
  return directory === "" ? "" : requireKey(directory);
}

/** Ascending by bytes; keys are ASCII. */
export function byBytes(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
