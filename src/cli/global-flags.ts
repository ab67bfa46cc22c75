import { bool, text } from "./flag.ts";

/** The flags before the command. */
export const globalFlags = {
  debug: bool("Show where an error comes from", { short: "D" }),
  host: text("Engine to connect to: unix:///PATH or tcp://HOST:PORT", { short: "H" }),
  version: bool("Print the version and quit", { short: "v" }),
};
