import { formatTime } from "#base";

/** RFC 3339 as Go writes it: no zeros at the end of the fraction; the year 1 for never. */
export function timeText(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return "0001-01-01T00:00:00Z";
  return formatTime(nanoseconds).replace(/\.?0+Z$/, "Z");
}

/** A span as `docker ps` says it: "Less than a second", "3 minutes", "About an hour". */
export function spanText(nanoseconds: bigint): string {
  const seconds = Number(nanoseconds / 1_000_000_000n);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(seconds / 3600 + 0.5);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3600 / 24 / 365)} years`;
}
