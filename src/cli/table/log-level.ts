import { choice } from "../flag.ts";

/** The flag that all programs with a log share. */
export const logLevel = choice(
  "Lowest level of messages to log: debug, info, warn or error",
  ["debug", "info", "warn", "error"],
  { short: "l", shownDefault: "info" },
);
