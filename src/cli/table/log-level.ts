import { choice } from "../flag.ts";

/** What the programs that write a log have in common. */
export const logLevel = choice(
  "Lowest level of messages to log: debug, info, warn or error",
  ["debug", "info", "warn", "error"],
  { short: "l", shownDefault: "info" },
);
