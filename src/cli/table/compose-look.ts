import { command, many } from "../command.ts";
import { bool, choice, filter, int, list, text } from "../flag.ts";
import { withProject } from "./compose-project.ts";
import { attachFlags as attachContainerFlags, statsFlags as usageFlags } from "./containers.ts";

const index = int("Index of the container, where the service has several", { min: 0 });
const services = "[OPTIONS] [SERVICE...]";
const tableOrJson = text("Format of the list: table or json", { complete: ["table", "json"] });
const format = text("Format of the list: table, 'table TEMPLATE', json or a template", {
  complete: ["table", "json"],
});

export const psFlags = withProject({
  all: bool("Show stopped containers too, and those that run made", { short: "a" }),
  filter: text("Show those of a state: status=STATE"),
  format,
  "no-trunc": bool("Do not truncate output"),
  orphans: bool("Show services that the files do not have", { initial: true }),
  quiet: bool("Print ids alone", { short: "q" }),
  services: bool("Print the names of services alone"),
  status: list("Show those of a state; may be given many times", {
    complete: ["created", "dead", "exited", "paused", "removing", "restarting", "running"],
  }),
});

export const lsFlags = {
  all: bool("Show projects too of which no container runs", { short: "a" }),
  filter: filter("Show projects by a part of their name: name=PART"),
  format: tableOrJson,
  quiet: bool("Print names alone", { short: "q" }),
};

export const logsFlags = withProject({
  follow: bool("Follow log output", { short: "f" }),
  index,
  "no-color": bool("Print without colours"),
  "no-log-prefix": bool("Print lines without the name of their container"),
  since: text("Show logs since a time (2013-01-02T13:23:37Z) or for so long (42m)"),
  tail: text("Number of lines from the end of each container's log", {
    short: "n",
    shownDefault: "all",
  }),
  timestamps: bool("Show timestamps", { short: "t" }),
  until: text("Show logs before a time (2013-01-02T13:23:37Z) or until so long ago (42m)"),
});

export const topFlags = withProject({});
export const statsFlags = withProject({
  all: usageFlags.all,
  format,
  "no-stream": usageFlags["no-stream"],
  "no-trunc": usageFlags["no-trunc"],
});

export const eventsFlags = withProject({
  json: bool("Print events as JSON, one a line"),
  since: text("Show events since this time"),
  until: text("Show events until this time"),
});

export const portFlags = withProject({
  index,
  protocol: choice("Protocol of the port", ["tcp", "udp"] as const, { shownDefault: "tcp" }),
});

export const imagesFlags = withProject({
  format: tableOrJson,
  quiet: bool("Print ids alone", { short: "q" }),
});

export const volumesFlags = withProject({
  format,
  quiet: bool("Print names alone", { short: "q" }),
});

export const execFlags = withProject({
  detach: bool("Run the command in the background", { short: "d" }),
  env: list("Set environment variables", { short: "e" }),
  index,
  interactive: bool("Keep the standard input open", { short: "i", initial: true, hidden: true }),
  "no-tty": bool("Do not allocate a terminal", {
    short: "T",
    aliases: ["no-TTY"],
    shownDefault: "true where the output is none",
  }),
  privileged: bool("Give extended privileges to the process"),
  tty: bool("Allocate a terminal", { short: "t", initial: true, hidden: true }),
  user: text("Run the command as this user", { short: "u" }),
  workdir: text("Working directory of the command", { short: "w" }),
});

export const attachFlags = withProject({ ...attachContainerFlags, index });

export const versionFlags = {
  format: text("Format of what is printed: pretty or json", {
    short: "f",
    complete: ["pretty", "json"],
  }),
  short: bool("Print the number alone"),
};

/** The verbs that look at a project, or at one of its containers. */
export const lookCommands = {
  attach: command({
    summary: "Attach local standard input, output and error to a service's container",
    usage: "[OPTIONS] SERVICE",
    flags: attachFlags,
    args: [1, 1],
    load: async () => (await import("../compose/exec.ts")).attach,
  }),
  events: command({
    summary: "Show what happens to containers",
    usage: services,
    flags: eventsFlags,
    args: [0, many],
    load: async () => (await import("../compose/events.ts")).events,
  }),
  exec: command({
    summary: "Run a command in a container of a service",
    usage: "[OPTIONS] SERVICE COMMAND [ARGS...]",
    flags: execFlags,
    args: [2, many],
    interspersed: false,
    examples: [
      ["compose exec web sh", "a shell in the first container of web"],
      ["compose exec -T --index 2 web cat /etc/hosts", "without a terminal, in the second one"],
    ],
    load: async () => (await import("../compose/exec.ts")).exec,
  }),
  images: command({
    summary: "List the images of containers",
    usage: services,
    flags: imagesFlags,
    args: [0, many],
    load: async () => (await import("../compose/images.ts")).images,
  }),
  logs: command({
    summary: "Show the output of containers",
    usage: services,
    flags: logsFlags,
    args: [0, many],
    examples: [["compose logs -f --tail 20 web", "the last 20 lines, then new ones as they come"]],
    load: async () => (await import("../compose/logs.ts")).logs,
  }),
  ls: command({
    summary: "List the projects that run",
    usage: "[OPTIONS]",
    flags: lsFlags,
    examples: [["compose ls -a --format json", "all projects, for a program"]],
    load: async () => (await import("../compose/ls.ts")).ls,
  }),
  port: command({
    summary: "Print where a port of a service is published",
    usage: "[OPTIONS] SERVICE PRIVATE_PORT",
    flags: portFlags,
    args: [2, 2],
    load: async () => (await import("../compose/port.ts")).port,
  }),
  ps: command({
    summary: "List containers",
    usage: services,
    flags: psFlags,
    args: [0, many],
    examples: [["compose ps -a --format json", "stopped ones too, a line of JSON each"]],
    load: async () => (await import("../compose/ps.ts")).ps,
  }),
  stats: command({
    summary: "Show the resource usage of containers",
    usage: "[OPTIONS] [SERVICE]",
    flags: statsFlags,
    args: [0, 1],
    load: async () => (await import("../compose/stats.ts")).stats,
  }),
  top: command({
    summary: "Show the processes of containers",
    usage: "[SERVICES...]",
    flags: topFlags,
    args: [0, many],
    load: async () => (await import("../compose/stats.ts")).top,
  }),
  version: command({
    summary: "Print the version of docker compose that these verbs follow",
    usage: "[OPTIONS]",
    flags: versionFlags,
    load: async () => (await import("../compose/version.ts")).version,
  }),
  volumes: command({
    summary: "List volumes",
    usage: services,
    flags: volumesFlags,
    args: [0, many],
    load: async () => (await import("../compose/volumes.ts")).volumes,
  }),
};
