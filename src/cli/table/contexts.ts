import { command, group, many } from "../command.ts";
import { bool, commaMap, text } from "../flag.ts";
import { format, inspectFlags, json } from "./containers.ts";

const description = text("Description of the context");
const docker = commaMap(
  "How to reach the engine: host=..., ca=FILE, cert=FILE, key=FILE, skip-tls-verify=true, from=CONTEXT",
);

export const contextCreateFlags = {
  description,
  docker,
  from: text("Copy a context", { complete: "context" }),
};

export const contextUpdateFlags = { description, docker };

export const contextLsFlags = {
  format,
  json,
  quiet: bool("Only show context names", { short: "q" }),
};

export const contextRmFlags = {
  force: bool("Force the removal of a context in use", { short: "f" }),
};

export const contextInspectFlags = { format: inspectFlags.format, json };

const lsCommand = command({
  summary: "List contexts",
  usage: "[OPTIONS]",
  flags: contextLsFlags,
  load: async () => (await import("../verb/context.ts")).contextLs,
});

const rmCommand = command({
  summary: "Remove one or more contexts",
  usage: "[OPTIONS] CONTEXT [CONTEXT...]",
  flags: contextRmFlags,
  args: [1, many],
  complete: "context",
  load: async () => (await import("../verb/context.ts")).contextRm,
  rehearse: async () => (await import("../verb/context.ts")).rehearseContextRm,
});

export const contextGroup = group("Manage contexts: names of engines, shared with docker", {
  create: command({
    summary: "Create a context",
    usage: "[OPTIONS] CONTEXT",
    flags: contextCreateFlags,
    args: [1, 1],
    examples: [
      ["context create far --docker host=ssh://me@far.example", "an engine that ssh reaches"],
      [
        "context create build --docker host=tcp://build.example:2376,ca=ca.pem,cert=cert.pem,key=key.pem",
        "one that TLS protects; the files are copied",
      ],
    ],
    load: async () => (await import("../verb/context.ts")).contextCreate,
  }),
  export: command({
    summary: "Export a context to an archive FILE, or a tar stream on standard output (-)",
    usage: "CONTEXT [FILE|-]",
    args: [1, 2],
    complete: "context",
    load: async () => (await import("../verb/context-archive.ts")).contextExport,
  }),
  import: command({
    summary: "Import a context from a tar archive",
    usage: "CONTEXT FILE|-",
    args: [2, 2],
    complete: "file",
    load: async () => (await import("../verb/context-archive.ts")).contextImport,
  }),
  inspect: command({
    summary: "Display detailed information on one or more contexts",
    usage: "[OPTIONS] [CONTEXT...]",
    flags: contextInspectFlags,
    args: [0, many],
    complete: "context",
    load: async () => (await import("../verb/inspect.ts")).inspectContexts,
  }),
  ls: lsCommand,
  list: { ...lsCommand, hidden: true },
  rm: rmCommand,
  remove: { ...rmCommand, hidden: true },
  show: command({
    summary: "Print the name of the current context",
    usage: "",
    load: async () => (await import("../verb/context.ts")).contextShow,
  }),
  update: command({
    summary: "Update a context",
    usage: "[OPTIONS] CONTEXT",
    flags: contextUpdateFlags,
    args: [1, 1],
    complete: "context",
    load: async () => (await import("../verb/context.ts")).contextUpdate,
  }),
  use: command({
    summary: "Set the current context",
    usage: "CONTEXT",
    args: [1, 1],
    complete: "context",
    load: async () => (await import("../verb/context.ts")).contextUse,
  }),
});
