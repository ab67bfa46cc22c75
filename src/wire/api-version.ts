/** The newest and the oldest version of the Docker Engine API that is spoken. */
export const API_VERSION = "1.51";
export const MIN_API_VERSION = "1.24";

/** Negative when `a` is older than `b`; "1.9" is older than "1.10". Parts that are not numbers count as 0. */
export function compareApiVersions(a: string, b: string): number {
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (Number(left[i]) || 0) - (Number(right[i]) || 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
