import { command, many } from "../command.ts";
import { bool, choice, commaList, int, list, refused, size, text } from "../flag.ts";

/** Flags of docker's that change nothing here. */
const ignored = (help: string) => bool(`${help} (changes nothing)`, { hidden: true });

export const buildFlags = {
  "add-host": commaList("Add a custom host-to-IP mapping (host:ip)"),
  allow: list("Allow extra privileged entitlement", {
    complete: ["network.host", "security.insecure"],
  }),
  annotation: list(
    "Add annotation to the image (KEY=VALUE; before it manifest:, index:, manifest-descriptor: or index-descriptor:)",
  ),
  attest: list("Attestation of the image (type=sbom; type=provenance,mode=max)"),
  "build-arg": list("Set a variable of the build: KEY=VALUE, or KEY of the environment"),
  "build-context": list(
    "Further files, as NAME=DIRECTORY, NAME=URL, NAME=docker-image://IMAGE, NAME=target:STAGE or NAME=oci-layout://DIRECTORY[:TAG]",
    { placeholder: "name=source" },
  ),
  builder: text("Builder instance: default, which is the engine", { hidden: true }),
  "cache-from": list(
    "Read the cache of other builds (IMAGE, type=registry,ref=IMAGE; type=local,src=DIR)",
  ),
  "cache-to": list(
    "Write the cache for other builds (type=inline; type=registry,ref=IMAGE,mode=max; type=local,dest=DIR)",
  ),
  call: text("What to do: build, check, outline or targets, with options as check,format=json", {
    placeholder: "METHOD",
    shownDefault: "build",
    complete: ["build", "check", "outline", "targets"],
  }),
  "cgroup-parent": text("Parent cgroup of the RUN instructions"),
  check: bool('Run the build checks; shorthand for "--call=check"'),
  compress: ignored("Compress the build context using gzip"),
  "cpu-period": int("Limit CPU CFS (Completely Fair Scheduler) period of RUN instructions"),
  "cpu-quota": int("Limit CPU CFS (Completely Fair Scheduler) quota of RUN instructions"),
  "cpu-shares": int("CPU shares of RUN instructions (relative weight)", { short: "c" }),
  "cpuset-cpus": text("CPUs for RUN instructions (0-3, 0,1)"),
  "cpuset-mems": text("Memory nodes for RUN instructions (0-3, 0,1)"),
  explain: bool("Say of each step that ran why it did: the first input that differs"),
  file: text("Name of the Dockerfile", {
    short: "f",
    shownDefault: "PATH/Dockerfile",
    complete: "file",
  }),
  "force-rm": ignored("Always remove intermediate containers"),
  format: choice("Format of what --call prints", ["text", "json"]),
  iidfile: text("Write the image ID to a file", { complete: "file" }),
  isolation: refused("containers have one isolation technology, that of Linux"),
  label: list("Set metadata for an image"),
  load: bool("Keep the image in the engine; without other outputs that is so anyway"),
  memory: size("Memory limit of RUN instructions", { short: "m" }),
  "memory-swap": size("Swap limit equal to memory plus swap: -1 to enable unlimited swap", {
    unlimited: true,
  }),
  "metadata-file": text("Write what the build made to a file, as JSON", { complete: "file" }),
  network: text("Network of the RUN instructions", {
    shownDefault: "default",
    complete: "network",
  }),
  "no-cache": bool("Do not use cache when building the image"),
  "no-cache-filter": commaList("Do not cache specified stages"),
  "on-error": choice("What to do when a RUN fails: enter it with a shell", ["shell"]),
  output: list(
    "Where the result goes (type=local,dest=PATH; type=tar, oci, docker, image, registry)",
    {
      short: "o",
    },
  ),
  platform: commaList("Platforms that the build is for; several make an index", {
    shownDefault: "this machine's",
  }),
  progress: choice("Type of progress output; plain shows the output of all steps", [
    "auto",
    "plain",
    "tty",
    "rawjson",
    "quiet",
    "none",
  ]),
  provenance: list('Provenance of the image; shorthand for "--attest=type=provenance"', {
    complete: ["true", "false", "mode=min", "mode=max"],
  }),
  pull: bool("Always attempt to pull all referenced images"),
  push: bool('Push the image; shorthand for "--output=type=registry"'),
  quiet: bool("Suppress the build output and print image ID on success", { short: "q" }),
  rm: ignored("Remove intermediate containers after a successful build"),
  sbom: list('Bill of materials of the image; shorthand for "--attest=type=sbom"', {
    complete: ["true", "false"],
  }),
  secret: list("Secret for RUN --mount=type=secret (id=ID,src=FILE or id=ID,env=NAME)"),
  "security-opt": refused("the steps of a build have the engine's defaults"),
  "shm-size": size("Size of /dev/shm of RUN instructions"),
  squash: refused("thimble squash makes one layer of an image"),
  ssh: list("SSH agent socket or keys to expose to the build", { hidden: true }),
  tag: list("Name and optionally a tag (format: name:tag)", { short: "t" }),
  target: text("Stage to build, with those that it needs"),
  ulimit: list("Ulimit options of RUN instructions", { placeholder: "ulimit" }),
  watch: bool("Build again whenever the Dockerfile or a file of the context changes"),
};

const shellStep = text("Step to enter: a number, STAGE/NUMBER, a STAGE, or line:NUMBER", {
  shownDefault: "the end",
  placeholder: "step",
});

export const buildShellFlags = { ...buildFlags, step: shellStep };

const shellCommand = command({
  summary: "Build as far as a step, and run a shell in its place",
  usage: "[OPTIONS] PATH | URL [COMMAND [ARG...]]",
  flags: buildShellFlags,
  args: [1, many],
  interspersed: false,
  complete: "file",
  examples: [
    ["build shell .", "the step that fails, or the end of the build"],
    ["build shell --step 3 .", 'the step that progress shows as "[3/5]", in its place'],
    ["build shell --step build/2 .", 'the step "[build 2/4]" of another stage'],
    ["build shell --step line:7 .", "the step whose instruction stands in line 7"],
    ["build shell --target test . ls -l /src", "a command in place of a shell"],
  ],
  load: async () => (await import("../verb/build.ts")).buildShell,
});

export const buildCommand = command({
  summary: "Build an image from a Dockerfile, or check one",
  usage: "[OPTIONS] PATH | URL | -",
  flags: buildFlags,
  args: [1, 1],
  complete: "file",
  examples: [
    ["build -t web .", "the image of ./Dockerfile, with the files of this directory"],
    ["build -t web --target test --build-arg VERSION=2 .", "one stage, with an argument"],
    ["build --secret id=token,src=token.txt .", "for RUN --mount=type=secret,id=token"],
    ["build -o out .", "the files of the result, in a directory and not in an image"],
    ["build -t registry.example/web:1 --push .", "to a registry"],
    [
      "build -t registry.example/web:1 --push --sbom=true --provenance=mode=max .",
      "with a bill of materials and the provenance beside the image",
    ],
    [
      "build -t registry.example/web:1 --push --platform linux/amd64,linux/arm64 .",
      "for two platforms under one name",
    ],
    ["build - < Dockerfile", "without files"],
    [
      "build --cache-from host/web:cache --cache-to type=registry,ref=host/web:cache,mode=max .",
      "with the steps that a registry has, and those of this build left there",
    ],
    ["build -t web --watch .", "again after each change, until ctrl-c"],
    ["build --on-error=shell .", "and enter a RUN that fails, with its mounts and environment"],
    ["build --check .", "what Docker's build checks find in ./Dockerfile"],
    ["build --call=outline --target web .", "arguments, secrets and agents that a stage takes"],
  ],
  variants: { shell: shellCommand },
  load: async () => (await import("../verb/build.ts")).build,
});
