import { command, many } from "../command.ts";
import { bool, filter, int, text } from "../flag.ts";
import { createFlags, detachKeys, execFlags, runFlags, updateFlags } from "./create-flags.ts";

export const format = text('Format output: "json", "table", "table TEMPLATE" or TEMPLATE');
export const json = bool("Print JSON, the same as --format json");

export const psFlags = {
  all: bool("Show all containers (default shows just running)", { short: "a" }),
  filter: filter(),
  format,
  json,
  last: int("Show n last created containers (includes all states)", { short: "n" }),
  latest: bool("Show the latest created container (includes all states)", { short: "l" }),
  "no-trunc": bool("Don't truncate output"),
  quiet: bool("Only display container IDs", { short: "q" }),
  size: bool("Display total file sizes", { short: "s" }),
  wide: bool("Also show health, restarts and memory (default on a terminal where they fit)"),
};

export const statsFlags = {
  all: bool("Show all containers (default shows just running)", { short: "a" }),
  format,
  json,
  "no-stream": bool("Disable streaming stats and only pull the first result"),
  "no-trunc": bool("Do not truncate output"),
};

export const logsFlags = {
  details: bool("Show extra details provided to logs"),
  follow: bool("Follow log output", { short: "f" }),
  since: text('Show logs since timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")'),
  tail: text("Number of lines to show from the end of the logs", {
    short: "n",
    shownDefault: "all",
  }),
  timestamps: bool("Show timestamps", { short: "t" }),
  until: text(
    'Show logs before a timestamp (e.g. "2013-01-02T13:23:37Z") or relative (e.g. "42m")',
  ),
};

export const stopFlags = {
  signal: text("Signal to send to the container", { short: "s" }),
  timeout: int("Seconds to wait before killing the container", {
    short: "t",
    aliases: ["time"],
  }),
};

export const startFlags = {
  attach: bool("Attach STDOUT/STDERR and forward signals", { short: "a" }),
  "detach-keys": detachKeys,
  interactive: bool("Attach container's STDIN", { short: "i" }),
};

export const attachFlags = {
  "detach-keys": detachKeys,
  "no-stdin": bool("Do not attach STDIN"),
  "sig-proxy": bool("Proxy all received signals to the process", { initial: true }),
};

export const rmFlags = {
  force: bool("Force the removal of a running container (uses SIGKILL)", { short: "f" }),
  link: bool("Remove the specified link", { short: "l" }),
  volumes: bool("Remove anonymous volumes associated with the container", { short: "v" }),
};

export const killFlags = {
  signal: text("Signal to send to the container", { short: "s" }),
};

export const inspectFlags = {
  format: text('Format output using a Go template, or "json"', { short: "f" }),
  json,
  size: bool("Display total file sizes if the type is container", { short: "s" }),
  type: text("Only inspect objects of the given type", {
    complete: ["container", "image", "network", "volume"],
  }),
};

export const pruneFlags = {
  force: bool("Do not prompt for confirmation", { short: "f" }),
  filter: { ...filter('Provide filter values (e.g. "until=<timestamp>")'), short: "" },
};

export const cpFlags = {
  archive: bool("Archive mode (copy all uid/gid information)", { short: "a" }),
  "follow-link": bool("Always follow symbol link in SRC_PATH", { short: "L" }),
  quiet: bool(
    "Suppress progress output during copy. Progress output is automatically suppressed if no terminal is attached",
    { short: "q" },
  ),
};

export const debugFlags = {
  image: text("Image of the tools; it needs a shell", {
    shownDefault: "busybox, made once",
    complete: "image",
  }),
  user: text("User of the shell", {
    short: "u",
    shownDefault: "root; of a container that is stopped, its own",
  }),
};

export const whyFlags = { json: bool("Print JSON") };

export const outputFlags = {
  output: text("Write to a file, instead of STDOUT", { short: "o", complete: "file" }),
};

export const runCommand = command({
  summary: "Create and run a new container from an image",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: runFlags,
  args: [1, many],
  interspersed: false,
  failure: 125,
  complete: "image",
  calls: 1,
  examples: [
    ["run --rm -it debian bash", "a shell in a container that is removed when it ends"],
    [
      "run -d --name web -v $PWD/site:/srv:ro debian sleep inf",
      "in the background, with a bind mount",
    ],
    ["run --rm --memory 64m --cpus 0.5 debian true", "with limits"],
    ["run --rm --storage-opt size=1g debian true", "with a limit of what it may write"],
    ["run --dry-run debian true", "print each step of the start, and create nothing"],
  ],
  load: async () => (await import("../verb/run.ts")).run,
});

export const createCommand = command({
  summary: "Create a new container",
  usage: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  flags: createFlags,
  args: [1, many],
  interspersed: false,
  complete: "image",
  examples: [
    ["create --name job debian echo hi", "prints the id; start it with: thimble start -a job"],
  ],
  load: async () => (await import("../verb/create.ts")).create,
});

export const execCommand = command({
  summary: "Execute a command in a running container",
  usage: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  flags: execFlags,
  args: [2, many],
  interspersed: false,
  complete: "running",
  examples: [["exec -it web sh", "a shell inside"]],
  load: async () => (await import("../verb/exec.ts")).exec,
});

export const cpCommand = command({
  summary: "Copy files/folders between a container and the local filesystem",
  usage: "[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|- | SRC_PATH|- CONTAINER:DEST_PATH",
  flags: cpFlags,
  args: [2, 2],
  complete: "copy",
  examples: [
    ["cp web:/etc/nginx/nginx.conf .", "a file, also of a container that is stopped"],
    ["cp ./site web:/srv", "a directory, as /srv/site where /srv exists"],
    ["cp ./site/. web:/srv", "what is in a directory"],
    ["cp web:/var/log - | tar -t", "as an archive; SRC_PATH may be - as well"],
  ],
  load: async () => (await import("../verb/cp.ts")).cp,
});

export const debugCommand = command({
  summary: "Run a shell with tools in a container whose image has none",
  usage: "[OPTIONS] CONTAINER [-- COMMAND [ARG...]]",
  flags: debugFlags,
  args: [1, many],
  interspersed: false,
  complete: "container",
  examples: [
    ["debug web", "a shell that sees the processes, network and files of web"],
    ["debug web -- netstat -tln", "one command; it begins in the root of web"],
    ["debug --image debian web -- bash", "with the tools of an image"],
    ["debug stopped", "on the files of a container that does not run; changes are kept"],
  ],
  load: async () => (await import("../verb/debug.ts")).debug,
});

export const psCommand = command({
  summary: "List containers",
  usage: "[OPTIONS]",
  flags: psFlags,
  calls: 1,
  examples: [
    ["ps -a", "stopped ones too"],
    ["ps --wide", "with health, restarts and memory, also in a pipe"],
    ['ps --format "{{.Names}}\\t{{.Status}}"', "show only these columns"],
  ],
  load: async () => (await import("../verb/ps.ts")).ps,
});

export const logsCommand = command({
  summary: "Fetch the logs of one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: logsFlags,
  args: [1, many],
  complete: "container",
  examples: [
    ["logs -f --tail 20 web", "show the last 20 lines, then new ones as they come"],
    ["logs -f web db", "show the lines of both by their time, each behind its container's name"],
  ],
  load: async () => (await import("../verb/logs.ts")).logs,
});

export const startCommand = command({
  summary: "Start one or more stopped containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: startFlags,
  args: [1, many],
  complete: "container",
  load: async () => (await import("../verb/start.ts")).start,
  rehearse: async () => (await import("../verb/dry-run-state.ts")).start,
});

export const attachCommand = command({
  summary: "Attach local standard input, output, and error streams to a running container",
  usage: "[OPTIONS] CONTAINER",
  flags: attachFlags,
  args: [1, 1],
  complete: "running",
  load: async () => (await import("../verb/attach.ts")).attach,
});

export const stopCommand = command({
  summary: "Stop one or more running containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: stopFlags,
  args: [1, many],
  complete: "running",
  examples: [["stop --dry-run web", "say how, and leave it running"]],
  load: async () => (await import("../verb/lifecycle.ts")).stop,
  rehearse: async () => (await import("../verb/dry-run-state.ts")).stop,
});

export const restartCommand = command({
  summary: "Restart one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: stopFlags,
  args: [1, many],
  complete: "container",
  load: async () => (await import("../verb/lifecycle.ts")).restart,
  rehearse: async () => (await import("../verb/dry-run-state.ts")).restart,
});

export const killCommand = command({
  summary: "Kill one or more running containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: killFlags,
  args: [1, many],
  complete: "running",
  load: async () => (await import("../verb/lifecycle.ts")).kill,
  rehearse: async () => (await import("../verb/dry-run-state.ts")).kill,
});

export const updateCommand = command({
  summary: "Update configuration of one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: updateFlags,
  args: [1, many],
  complete: "container",
  examples: [
    ["update -m 512m --cpus 1.5 web", "new limits for a container that runs on"],
    ["update --restart unless-stopped web", "another restart policy"],
    [
      "update --log-opt max-size=50m --log-opt max-file=2 web",
      "another size of its log, from now on",
    ],
    ["update --health-http 8080/ready --health-interval 10s web", "another health check"],
  ],
  load: async () => (await import("../verb/update.ts")).update,
  rehearse: async () => (await import("../verb/update.ts")).rehearseUpdate,
});

export const pauseCommand = command({
  summary: "Pause all processes within one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: [1, many],
  complete: "running",
  examples: [["pause web", "its processes stand still; go on with: thimble unpause web"]],
  load: async () => (await import("../verb/lifecycle.ts")).pause,
  rehearse: async () => (await import("../verb/dry-run-state.ts")).pause,
});

export const unpauseCommand = command({
  summary: "Unpause all processes within one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  args: [1, many],
  complete: "running",
  load: async () => (await import("../verb/lifecycle.ts")).unpause,
  rehearse: async () => (await import("../verb/dry-run-state.ts")).unpause,
});

export const rmCommand = command({
  summary: "Remove one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: rmFlags,
  args: [1, many],
  complete: "container",
  examples: [["rm -f $(thimble ps -aq)", "all of them, running or not"]],
  load: async () => (await import("../verb/lifecycle.ts")).rm,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).rm,
});

export const renameCommand = command({
  summary: "Rename a container",
  usage: "CONTAINER NEW_NAME",
  args: [2, 2],
  complete: "container",
  load: async () => (await import("../verb/lifecycle.ts")).rename,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).rename,
});

export const waitCommand = command({
  summary: "Block until one or more containers stop, then print their exit codes",
  usage: "CONTAINER [CONTAINER...]",
  args: [1, many],
  complete: "running",
  load: async () => (await import("../verb/lifecycle.ts")).wait,
});

export const portCommand = command({
  summary: "List port mappings, or a specific mapping, for the container",
  usage: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  args: [1, 2],
  complete: "running",
  examples: [
    ["port web 80", "where port 80 is published"],
    ["port add web 8080:80", "publish port 80 while the container runs"],
  ],
  variants: {
    add: command({
      summary: "Publish ports of a container, without a restart",
      usage: "CONTAINER [IP:][HOST_PORT:]PORT[/PROTO]...",
      args: [2, many],
      complete: "container",
      examples: [
        ["port add web 8080:80", "at all addresses of this host, also after a restart"],
        ["port add web 127.0.0.1:5353:53/udp", "for this host alone"],
        ["port add web 80", "at any port that is free"],
      ],
      load: async () => (await import("../verb/port.ts")).portAdd,
    }),
    rm: command({
      summary: "Take published ports back; connections that are open stay",
      usage: "CONTAINER [IP:][HOST_PORT:]PORT[/PROTO]...",
      args: [2, many],
      complete: "container",
      examples: [
        ["port rm web 8080:80", "one port of this host"],
        ["port rm web 80", "wherever port 80 is published"],
      ],
      load: async () => (await import("../verb/port.ts")).portRm,
    }),
  },
  load: async () => (await import("../verb/port.ts")).port,
});

export const topCommand = command({
  summary: "Display the running processes of a container",
  usage: "CONTAINER [ps OPTIONS]",
  args: [1, many],
  interspersed: false,
  complete: "running",
  load: async () => (await import("../verb/top.ts")).top,
});

export const statsCommand = command({
  summary: "Display a live stream of container(s) resource usage statistics",
  usage: "[OPTIONS] [CONTAINER...]",
  flags: statsFlags,
  args: [0, many],
  complete: "running",
  examples: [
    ["stats", "a table of all that run, anew each second; end it with ctrl-c"],
    ["stats --no-stream --json", "the usage now, a line for each container"],
  ],
  load: async () => (await import("../verb/stats.ts")).stats,
});

export const whyCommand = command({
  summary: "Tell why a container is not running, how that is known, and what to do",
  usage: "[OPTIONS] CONTAINER",
  flags: whyFlags,
  args: [1, 1],
  complete: "container",
  examples: [
    ["why web", "exit status, signal, memory, health, its program and its policy in words"],
  ],
  load: async () => (await import("../verb/why.ts")).why,
});

export const inspectCommand = command({
  summary: "Return low-level information on containers, images, networks and volumes",
  usage: "[OPTIONS] NAME|ID [NAME|ID...]",
  flags: inspectFlags,
  args: [1, many],
  complete: "container",
  examples: [["inspect -f '{{.NetworkSettings.IPAddress}}' web", "one field"]],
  load: async () => (await import("../verb/inspect.ts")).inspect,
});

export const containerInspectCommand = command({
  summary: "Display detailed information on one or more containers",
  usage: "[OPTIONS] CONTAINER [CONTAINER...]",
  flags: inspectFlags,
  args: [1, many],
  complete: "container",
  load: async () => (await import("../verb/inspect.ts")).inspectContainers,
});

export const exportCommand = command({
  summary: "Export a container's filesystem as a tar archive",
  usage: "[OPTIONS] CONTAINER",
  flags: outputFlags,
  args: [1, 1],
  complete: "container",
  examples: [["export web | tar -t", "list the files of a container"]],
  load: async () => (await import("../verb/archive.ts")).exportContainer,
});

export const containerPruneCommand = command({
  summary: "Remove all stopped containers",
  usage: "[OPTIONS]",
  flags: pruneFlags,
  load: async () => (await import("../verb/prune.ts")).pruneContainers,
  rehearse: async () => (await import("../verb/dry-run-removal.ts")).pruneContainers,
});
