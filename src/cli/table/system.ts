import { command } from "../command.ts";
import { bool, filter, int, list, text } from "../flag.ts";
import { json, pruneFlags } from "./containers.ts";

export const eventsFlags = {
  filter: filter(),
  format: text('Format output: "json" or TEMPLATE'),
  json,
  since: text("Show all events created since timestamp"),
  until: text("Stream events until this timestamp"),
};

export const showFlags = {
  format: text('Format output: "json" or TEMPLATE', { short: "f" }),
  json,
};

export const certFlags = {
  client: text("Name of the client, and of the directory for its certificate", {
    shownDefault: "client",
  }),
  days: int("Days for which certificates hold; those of the authority hold for ten years", {
    min: 1,
    max: 3000,
    shownDefault: "730",
  }),
  host: list("Name or address by which clients reach the engine (default: those of this machine)"),
};

export const systemPruneFlags = {
  all: bool("Remove all unused images not just dangling ones", { short: "a" }),
  filter: { ...filter('Provide filter values (e.g. "label=<key>=<value>")'), short: "" },
  force: pruneFlags.force,
  volumes: bool("Prune anonymous volumes"),
};

export const dfFlags = {
  format: text('Format output: "json", "table", "table TEMPLATE" or TEMPLATE'),
  json,
  verbose: bool("Show detailed information on space usage", { short: "v" }),
};

export const fsckFlags = {
  "data-root": text("Check the images of this data root, which no engine may be using", {
    shownDefault: "/var/lib/thimble",
    complete: "file",
  }),
  deep: bool("Also compare the files of unpacked layers with their blobs"),
  json: bool("Print JSON"),
  repair: bool("Remove damaged and unused data, and unpack lost layers again"),
};

export const profileFlags = {
  output: text("File to write, - for standard output", {
    short: "o",
    shownDefault: "thimble.cpuprofile",
    complete: "file",
  }),
  seconds: int("Time to watch the engine", {
    short: "s",
    min: 1,
    max: 300,
    shownDefault: "10",
  }),
};

export const doctorFlags = {
  json: bool("Print JSON"),
  "data-root": text("The engine's data root", { shownDefault: "/var/lib/thimble" }),
  "run-root": text("The engine's run root", { shownDefault: "/run/thimble" }),
};

export const quickstartFlags = {
  suite: text("Release of Debian to make an image of", { shownDefault: "bookworm" }),
  mirror: text("URL of the Debian mirror (default: from the host's apt sources)"),
};

export const eventsCommand = command({
  summary: "Get real time events from the server",
  usage: "[OPTIONS]",
  flags: eventsFlags,
  examples: [["events --filter type=container --since 1h", "list the events of containers"]],
  load: async () => (await import("../verb/events.ts")).events,
});

export const systemPruneCommand = command({
  summary: "Remove unused data",
  usage: "[OPTIONS]",
  flags: systemPruneFlags,
  examples: [
    ["system prune -a --volumes --dry-run", "list what would go, and remove nothing"],
    ["system prune -f --filter until=24h", "what is older than a day, without asking"],
  ],
  load: async () => (await import("../verb/prune.ts")).pruneSystem,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).pruneSystem,
});

export const dfCommand = command({
  summary: "Show disk usage",
  usage: "[OPTIONS]",
  flags: dfFlags,
  examples: [["system df -v", "show the shared and the own size of each image"]],
  load: async () => (await import("../verb/df.ts")).df,
});

export const dialStdioCommand = command({
  summary: "Join standard input and output to the engine; the far end of ssh:// runs it",
  usage: "",
  hidden: true,
  load: async () => (await import("../verb/dial-stdio.ts")).dialStdio,
});

export const certCommand = command({
  summary: "Make the certificates of an engine that other machines reach, and of its clients",
  usage: "[OPTIONS] [DIRECTORY]",
  flags: certFlags,
  args: [0, 1],
  examples: [
    ["system cert --host engine.example", "make them in /etc/thimble/tls, or renew them"],
    ["daemon -H tcp://0.0.0.0:2376 --tlsverify", "serve with them"],
    [
      "-H tcp://engine.example:2376 --tlsverify ps",
      "use it, with the files of /etc/thimble/tls/client in ~/.docker, or in $DOCKER_CERT_PATH",
    ],
    ["system cert --client alice", "one more client, with the same authority"],
  ],
  load: async () => (await import("../verb/cert.ts")).cert,
});

export const fsckCommand = command({
  summary: "Check images on the disk for damaged, missing and unused data",
  usage: "[OPTIONS]",
  flags: fsckFlags,
  examples: [
    ["system fsck", "look, and change nothing; the engine may run or not"],
    ["system fsck --repair", "repair the data, and list the images that must be pulled again"],
  ],
  load: async () => (await import("../verb/fsck.ts")).fsck,
});

export const profileCommand = command({
  summary: "Record where the engine's time goes",
  usage: "[OPTIONS]",
  flags: profileFlags,
  examples: [
    ["system profile -s 30", "write thimble.cpuprofile, which Chrome's developer tools show"],
  ],
  load: async () => (await import("../verb/profile.ts")).profile,
});

export const infoCommand = command({
  summary: "Display system-wide information",
  usage: "[OPTIONS]",
  flags: showFlags,
  load: async () => (await import("../verb/info.ts")).info,
});

export const versionCommand = command({
  summary: "Show the version information of client and engine",
  usage: "[OPTIONS]",
  flags: showFlags,
  load: async () => (await import("../verb/version.ts")).version,
});

export const doctorCommand = command({
  summary: "Show what this machine offers, which features lack something, and the fix",
  usage: "[OPTIONS]",
  flags: doctorFlags,
  load: async () => (await import("../verb/doctor.ts")).doctor,
});

export const quickstartCommand = command({
  summary: "Make two images, run them, and suggest next steps",
  usage: "[OPTIONS]",
  flags: quickstartFlags,
  load: async () => (await import("../verb/quickstart.ts")).quickstart,
});

export const completionCommand = command({
  summary: "Print the completion script of a shell",
  usage: "bash|zsh|fish",
  args: [1, 1],
  complete: ["bash", "zsh", "fish"],
  examples: [["completion bash > /etc/bash_completion.d/thimble", "for all bash users"]],
  load: async () => (await import("../verb/completion.ts")).completion,
});

export const uiCommand = command({
  summary: "Watch and change containers, images and volumes on the whole screen",
  usage: "",
  examples: [["ui", "arrows choose, tab goes on, enter scrolls, x is the menu, q quits"]],
  load: async () => (await import("../verb/ui.ts")).ui,
});

export const manCommand = command({
  summary: "Write the pages of the manual into a directory",
  usage: "DIRECTORY",
  args: [1, 1],
  complete: "file",
  examples: [["man /usr/local/share/man/man1", "for all users; then: man thimble-run"]],
  load: async () => (await import("../verb/man.ts")).man,
});

export const completeCommand = command({
  summary: "Complete a command line; the scripts of `completion` call it",
  usage: "[WORD...]",
  args: [0, Number.POSITIVE_INFINITY],
  interspersed: false,
  hidden: true,
  load: async () => (await import("../verb/completion.ts")).complete,
});

export const helpCommand = command({
  summary: "Show the help of a command",
  usage: "[COMMAND...]",
  args: [0, Number.POSITIVE_INFINITY],
  load: async () => (await import("../verb/help.ts")).help,
});
