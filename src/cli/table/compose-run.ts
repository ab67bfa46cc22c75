import { type Command, command, many } from "../command.ts";
import { bool, choice, int, list, text } from "../flag.ts";
import { withProject } from "./compose-project.ts";

const services = "[OPTIONS] [SERVICE...]";
const dryRun = { "dry-run": bool("Print what would be done, and do nothing") };
const progress = choice(
  "How progress is shown",
  ["auto", "tty", "plain", "json", "quiet"] as const,
  {
    shownDefault: "auto",
  },
);
/** Flags of the verbs that change a project; they stand before the verb, too. */
export const changeFlags = { ...dryRun, progress };
const timeout = int("Seconds before a container that is to stop is killed", {
  short: "t",
  shownDefault: "its own",
});

const createOnly = {
  build: bool("Build images before containers are created"),
  "force-recreate": bool("Recreate containers that have not changed, too"),
  "no-build": bool("Do not build images that are missing"),
  "no-recreate": bool("Do not recreate containers that have changed"),
  pull: text("When images are pulled: always, missing or never", {
    complete: ["always", "missing", "never"],
    shownDefault: "as pull_policy says",
  }),
  "quiet-pull": bool("Pull without showing progress"),
  "remove-orphans": bool("Remove containers of services that the files do not have"),
  scale: list("Number of containers of a service: SERVICE=NUM"),
  yes: bool('Answer "yes" to all questions', { short: "y" }),
};

export const createFlags = withProject({ ...changeFlags, ...createOnly });

export const upFlags = withProject({
  ...changeFlags,
  ...createOnly,
  "abort-on-container-exit": bool("Stop all containers when one ends"),
  "abort-on-container-failure": bool("Stop all containers when one fails"),
  "always-recreate-deps": bool("Recreate containers that others depend on, too"),
  attach: list("Show the output of these services only"),
  "attach-dependencies": bool("Show the output of services that others depend on, too"),
  detach: bool("Run containers in the background", { short: "d" }),
  "exit-code-from": text("End with the exit code of this service, and stop all when it ends"),
  "no-attach": list("Do not show the output of these services"),
  "no-color": bool("Show output without colours"),
  "no-deps": bool("Leave out services that others depend on"),
  "no-log-prefix": bool("Show output without the names of containers"),
  "no-start": bool("Create containers, and start none"),
  "renew-anon-volumes": bool("Give new containers new volumes where these have no name", {
    short: "V",
  }),
  timeout,
  timestamps: bool("Show the time of each line"),
  wait: bool("Return when all services run and are healthy, or have ended with 0"),
  "wait-timeout": int("Seconds to wait at most", { min: 0 }),
});

export const downFlags = withProject({
  ...changeFlags,
  "remove-orphans": createOnly["remove-orphans"],
  rmi: choice("Remove images: all, or those without a name of their own", [
    "local",
    "all",
  ] as const),
  timeout,
  volumes: bool("Remove volumes, too", { short: "v" }),
});

export const planFlags = withProject({
  "always-recreate-deps": upFlags["always-recreate-deps"],
  "force-recreate": createOnly["force-recreate"],
  format: choice("Format of what is printed", ["table", "json"] as const),
  "no-recreate": createOnly["no-recreate"],
  "remove-orphans": createOnly["remove-orphans"],
  scale: createOnly.scale,
});

export const startFlags = withProject({
  ...changeFlags,
  wait: upFlags.wait,
  "wait-timeout": upFlags["wait-timeout"],
});
export const stopFlags = withProject({ ...changeFlags, timeout });
export const restartFlags = withProject({
  ...changeFlags,
  "no-deps": bool("Do not restart services that depend on these"),
  timeout,
});
export const killFlags = withProject({
  ...changeFlags,
  "remove-orphans": bool("Also kill containers of services that the files do not have"),
  signal: text("Signal to send", { short: "s", shownDefault: "SIGKILL" }),
});
export const pauseFlags = withProject(changeFlags);
export const rmFlags = withProject({
  ...changeFlags,
  force: bool("Do not ask", { short: "f" }),
  stop: bool("Stop containers before they are removed", { short: "s" }),
  volumes: bool("Remove volumes without a name, too", { short: "v" }),
});
export const scaleFlags = withProject({ ...changeFlags, "no-deps": upFlags["no-deps"] });
export const waitFlags = withProject({
  ...dryRun,
  "down-project": bool("Take the project down when the first container ends"),
});

const lifecycle = () => import("../compose/lifecycle.ts");

/** The verbs of compose that make, change and remove containers. */
export const composeRunCommands: Readonly<Record<string, Command>> = {
  create: command({
    summary: "Create the containers of services, and start none",
    usage: services,
    flags: createFlags,
    args: [0, many],
    load: async () => (await import("../compose/up.ts")).create,
  }),
  down: command({
    summary: "Stop and remove the containers and networks of a project",
    usage: services,
    flags: downFlags,
    args: [0, many],
    examples: [
      ["compose down", "containers and networks; volumes stay"],
      ["compose down -v --rmi local", "volumes and images that were built, too"],
    ],
    load: async () => (await import("../compose/down.ts")).down,
  }),
  kill: command({
    summary: "Send a signal to the containers of services",
    usage: services,
    flags: killFlags,
    args: [0, many],
    load: async () => (await lifecycle()).kill,
  }),
  pause: command({
    summary: "Freeze the processes of services",
    usage: "[SERVICE...]",
    flags: pauseFlags,
    args: [0, many],
    load: async () => (await lifecycle()).pause,
  }),
  plan: command({
    summary: "Print what `up` would do, and why",
    usage: services,
    flags: planFlags,
    args: [0, many],
    examples: [
      ["compose plan", "each network, volume and container, with what happens to it"],
      ["compose plan --format json", "the same for a program"],
    ],
    load: async () => (await import("../compose/up.ts")).plan,
  }),
  restart: command({
    summary: "Restart the containers of services",
    usage: services,
    flags: restartFlags,
    args: [0, many],
    load: async () => (await lifecycle()).restart,
  }),
  rm: command({
    summary: "Remove the stopped containers of services",
    usage: services,
    flags: rmFlags,
    args: [0, many],
    load: async () => (await lifecycle()).rm,
  }),
  scale: command({
    summary: "Change how many containers services have",
    usage: "[SERVICE=NUM...]",
    flags: scaleFlags,
    args: [1, many],
    examples: [["compose scale web=3 worker=2", "three containers of web, two of worker"]],
    load: async () => (await import("../compose/up.ts")).scale,
  }),
  start: command({
    summary: "Start the containers of services",
    usage: "[SERVICE...]",
    flags: startFlags,
    args: [0, many],
    load: async () => (await lifecycle()).start,
  }),
  stop: command({
    summary: "Stop the containers of services",
    usage: services,
    flags: stopFlags,
    args: [0, many],
    load: async () => (await lifecycle()).stop,
  }),
  unpause: command({
    summary: "Let the processes of services go on",
    usage: "[SERVICE...]",
    flags: pauseFlags,
    args: [0, many],
    load: async () => (await lifecycle()).unpause,
  }),
  up: command({
    summary: "Create and start the services of a project",
    usage: services,
    flags: upFlags,
    args: [0, many],
    examples: [
      ["compose up -d", "in the background; nothing is touched that has not changed"],
      ["compose up -d --wait", "return when all are healthy, or have ended well"],
      ["compose up", "with their output, until ctrl-c"],
    ],
    load: async () => (await import("../compose/up.ts")).up,
  }),
  wait: command({
    summary: "Wait until the containers of services have ended",
    usage: "SERVICE [SERVICE...] [OPTIONS]",
    flags: waitFlags,
    args: [1, many],
    load: async () => (await lifecycle()).wait,
  }),
};
