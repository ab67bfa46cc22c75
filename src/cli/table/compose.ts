import { command, group, many } from "../command.ts";
import { bool, refused, text } from "../flag.ts";
import { lookCommands } from "./compose-look.ts";
import { makeCommands } from "./compose-make.ts";
import { projectFlags, withProject } from "./compose-project.ts";
import { changeFlags, composeRunCommands } from "./compose-run.ts";

export const configFlags = withProject({
  environment: bool("Print the variables that files may use"),
  format: text("Format of what is printed: yaml or json", { complete: ["json", "yaml"] }),
  hash: text('Print the config hash of services, comma-separated; "*" is all'),
  images: bool("Print the images, one a line"),
  "lock-image-digests": refused("images are not looked up in registries yet"),
  models: refused("models are not run"),
  networks: bool("Print the keys of networks, one a line"),
  "no-consistency": bool("Do not check that the parts fit together"),
  "no-env-resolution": bool("Do not read env files; docker compose reads them all the same"),
  "no-interpolate": bool("Do not replace variables"),
  "no-normalize": bool("Do not add what the files imply"),
  "no-path-resolution": bool("Leave relative paths as they are"),
  output: text("Write to a file", { short: "o", complete: "file" }),
  profiles: bool("Print the profiles, one a line"),
  quiet: bool("Only check the files", { short: "q" }),
  "resolve-image-digests": refused("images are not looked up in registries yet"),
  services: bool("Print the services, one a line"),
  variables: bool("Print the variables that the files use"),
  volumes: bool("Print the keys of volumes, one a line"),
});

const configCommand = command({
  summary: "Check compose files and print the project that they make",
  usage: "[OPTIONS] [SERVICE...]",
  flags: configFlags,
  args: [0, many],
  examples: [
    ["compose config", "the project of ./compose.yaml, in its canonical form"],
    ["compose -f base.yaml -f prod.yaml config web", "a service and what it uses, of two files"],
    ["compose config --hash '*'", "the hashes by which docker compose knows changed services"],
  ],
  load: async () => (await import("../compose/config.ts")).composeConfig,
});

export const composeGroup = group(
  "Work with projects of compose files",
  {
    ...lookCommands,
    ...composeRunCommands,
    ...makeCommands,
    config: configCommand,
    convert: { ...configCommand, hidden: true },
  },
  { ...projectFlags, ...changeFlags },
);
