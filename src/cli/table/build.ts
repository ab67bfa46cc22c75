import { command } from "../command.ts";
import { bool, choice, list, text } from "../flag.ts";

export const buildFlags = {
  "build-arg": list("Set a variable of the build: KEY=VALUE, or KEY of the environment"),
  call: text("What to do: check, outline or targets, with options as check,format=json", {
    placeholder: "METHOD",
    complete: ["check", "outline", "targets"],
  }),
  check: bool('Run the build checks; shorthand for "--call=check"'),
  file: text("Name of the Dockerfile", {
    short: "f",
    shownDefault: "PATH/Dockerfile",
    complete: "file",
  }),
  format: choice("Format of what is printed", ["text", "json"]),
  platform: text("Platform that the build is for", { shownDefault: "this machine's" }),
  target: text("Stage to look at, with those that it needs"),
};

export const buildCommand = command({
  summary: "Check a Dockerfile, and show what its build takes; needs no engine",
  usage: "[OPTIONS] PATH | -",
  flags: buildFlags,
  args: [1, 1],
  complete: "file",
  examples: [
    ["build --check .", "what Docker's build checks find in ./Dockerfile"],
    ["build --check -f web.Dockerfile --format json .", "the same of another file, as JSON"],
    ["build --call=targets .", "the stages that can be built"],
    ["build --call=outline --target web .", "arguments, secrets and agents that a stage takes"],
  ],
  load: async () => (await import("../verb/build.ts")).build,
});
