import { Exit } from "./failure.ts";

/** SOURCE_DATE_EPOCH of the environment (reproducible-builds.org/specs/source-date-epoch): seconds since 1970. */
export function sourceDateEpoch(
  env: Readonly<Record<string, string | undefined>>,
): number | undefined {
  const text = env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === "") return undefined;
  // The last second of the year 9999, beyond which times cannot be written.
  if (/^\d{1,12}$/.test(text) && Number(text) <= 253_402_300_799) return Number(text);
  throw new Exit(
    1,
    `SOURCE_DATE_EPOCH=${text} is not a number of seconds since 1970; correct it or unset it`,
  );
}
