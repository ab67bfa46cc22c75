import { command, many } from "../command.ts";
import { bool, choice, int, list, refused, text } from "../flag.ts";
import { withProject } from "./compose-project.ts";
import { cpFlags as copyFlags, outputFlags } from "./containers.ts";
import { commitFlags as commitContainerFlags } from "./images.ts";

const index = int("Index of the container, where the service has several", { min: 0 });
const services = "[OPTIONS] [SERVICE...]";

export const cpFlags = withProject({
  all: bool("Include containers that run made"),
  archive: copyFlags.archive,
  "follow-link": copyFlags["follow-link"],
  index,
});

export const exportFlags = withProject({ ...outputFlags, index });
export const commitFlags = withProject({ ...commitContainerFlags, index });

export const buildFlags = withProject({
  "build-arg": list("Set a variable of the builds: KEY=VALUE, or KEY of the environment"),
  builder: text("Builder instance: default, which is the engine", { hidden: true }),
  check: bool("Run the build checks, and build nothing"),
  memory: refused("builds of services have no memory limit"),
  "no-cache": bool("Do not use cache when building the images"),
  print: bool("Print what would be built as a bake file, and build nothing"),
  provenance: text("Provenance of the images: true, false, or mode=max"),
  pull: bool("Ask the registries for newer base images"),
  push: bool("Push the images"),
  quiet: bool("Print nothing while building", { short: "q" }),
  sbom: text("Bill of materials of the images: true, false or options"),
  ssh: text("Keys of SSH for the builds: default, or ID=PATH"),
  "with-dependencies": bool("Build the services too that the named ones depend on"),
});

export const pullFlags = withProject({
  "ignore-buildable": bool("Leave out images that can be built"),
  "ignore-pull-failures": bool("Pull what can be pulled, and end with status 0"),
  "include-deps": bool("Pull for the services too that the named ones depend on"),
  policy: choice("When to pull", ["missing", "always"] as const),
  quiet: bool("Print no progress of layers", { short: "q" }),
});

export const pushFlags = withProject({
  "ignore-push-failures": bool("Push what can be pushed, and end with status 0"),
  "include-deps": bool("Push for the services too that the named ones depend on"),
  quiet: bool("Print no progress of layers", { short: "q" }),
});

/** The verbs that copy, and those that make images or move them. */
export const makeCommands = {
  build: command({
    summary: "Build the images of services",
    usage: services,
    flags: buildFlags,
    args: [0, many],
    examples: [["compose build --pull web", "web, on the newest base image"]],
    load: async () => (await import("../compose/build.ts")).build,
  }),
  commit: command({
    summary: "Make an image of a service's container",
    usage: "[OPTIONS] SERVICE [REPOSITORY[:TAG]]",
    flags: commitFlags,
    args: [1, 2],
    load: async () => (await import("../compose/copies.ts")).commit,
  }),
  cp: command({
    summary: "Copy files between a service's containers and this machine",
    usage: "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-, or SRC_PATH|- SERVICE:DEST_PATH",
    flags: cpFlags,
    args: [2, 2],
    examples: [["compose cp ./site web:/srv", "into every container of web"]],
    load: async () => (await import("../compose/copies.ts")).cp,
  }),
  export: command({
    summary: "Write the file system of a service's container as a tar archive",
    usage: "[OPTIONS] SERVICE",
    flags: exportFlags,
    args: [1, 1],
    load: async () => (await import("../compose/copies.ts")).exportService,
  }),
  pull: command({
    summary: "Pull the images of services",
    usage: services,
    flags: pullFlags,
    args: [0, many],
    load: async () => (await import("../compose/transfer.ts")).pull,
  }),
  push: command({
    summary: "Push the images of services that are built",
    usage: services,
    flags: pushFlags,
    args: [0, many],
    load: async () => (await import("../compose/transfer.ts")).push,
  }),
};
