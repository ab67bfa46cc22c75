import { command } from "../command.ts";
import { bool, list, text } from "../flag.ts";

export const bakeFlags = {
  call: text("What to do with each target: build, check, outline or targets", {
    placeholder: "METHOD",
    complete: ["build", "check", "outline", "targets"],
  }),
  check: bool('Run the build checks; shorthand for "--call=check"'),
  file: list("File that defines targets: HCL, JSON or compose, - for standard input", {
    short: "f",
    shownDefault: "compose.yaml, docker-bake.json, docker-bake.hcl and their like",
    complete: "file",
  }),
  list: text("List targets or variables; type=targets,format=json for JSON", {
    placeholder: "TYPE",
    complete: ["targets", "variables"],
  }),
  load: bool('Load the images; shorthand for "--set=*.output=type=docker"'),
  "no-cache": bool("Run every step again"),
  print: bool("Print what would be built, as JSON, and build nothing"),
  provenance: text('Shorthand for "--set=*.attest=type=provenance"'),
  pull: bool("Ask the registries for newer base images"),
  push: bool('Push the images; shorthand for "--set=*.output=type=registry"'),
  sbom: text('Shorthand for "--set=*.attest=type=sbom"'),
  set: list("Set a value of targets: PATTERN.KEY=VALUE; KEY+=VALUE adds to a list"),
  var: list("Set a variable: NAME=VALUE"),
};

export const bakeCommand = command({
  summary: "Build targets that files define",
  usage: "[OPTIONS] [TARGET...]",
  flags: bakeFlags,
  args: [0, Number.POSITIVE_INFINITY],
  examples: [
    ["bake --print", "what ./docker-bake.hcl or ./compose.yaml would build"],
    ["bake --list=targets", "the targets, with what is said of them"],
    ["bake --print --set '*.platform=linux/arm64' web", "the target web, for another platform"],
    ["bake --print --var TAG=1.2 -f release.hcl", "with the variable TAG set"],
  ],
  load: async () => (await import("../verb/bake.ts")).bake,
});
