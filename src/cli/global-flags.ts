import type { HostFlags } from "#client";
import { bool, choice, text } from "./flag.ts";
import type { ParsedFlags } from "./parse-flags.ts";

const files = "(default: in $DOCKER_CERT_PATH, else in ~/.docker)";

/** Those of docker. */
const logLevels = ["debug", "info", "warn", "error", "fatal"] as const;

/** The flags before the command. */
export const globalFlags = {
  config: text("Directory of config.json, contexts and certificates", {
    shownDefault: "~/.docker",
    complete: "file",
  }),
  context: text("Context of the engine to connect to (see `context create`)", {
    short: "c",
    complete: "context",
  }),
  debug: bool("Show where an error comes from", { short: "D" }),
  host: text("Engine to connect to: unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST", {
    short: "H",
  }),
  "log-level": choice("With debug: as --debug", logLevels, { short: "l", shownDefault: "info" }),
  tls: bool("Speak TLS; implied by --tlsverify"),
  tlscacert: text(`Authority of the engine's certificate ${files}`, { complete: "file" }),
  tlscert: text(`Certificate of this client ${files}`, { complete: "file" }),
  tlskey: text(`Key of this client's certificate ${files}`, { complete: "file" }),
  tlsverify: bool("Speak TLS, and check the certificate of the engine"),
  version: bool("Print the version and quit", { short: "v" }),
};

/** What the flags say of the engine to connect to. */
export function hostFlags({ flags, given }: ParsedFlags<typeof globalFlags>): HostFlags {
  const { host, context, tlscacert, tlscert, tlskey } = flags;
  return {
    host,
    context,
    tls: {
      tls: given.has("tls") ? flags.tls : undefined,
      tlsverify: given.has("tlsverify") ? flags.tlsverify : undefined,
      ...{ tlscacert, tlscert, tlskey },
    },
  };
}
