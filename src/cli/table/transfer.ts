import { command } from "../command.ts";
import { bool, filter, int, text } from "../flag.ts";
import { format, json } from "./containers.ts";

const platform = text("Set platform if server is multi-platform capable");

/** Taken for the sake of scripts: signatures are the trust policy's. */
const disableContentTrust = bool("Skip image verification (deprecated)", {
  initial: true,
  hidden: true,
});

export const pullFlags = {
  "all-tags": bool("Download all tagged images in the repository", { short: "a" }),
  "disable-content-trust": disableContentTrust,
  platform,
  quiet: bool("Suppress verbose output", { short: "q" }),
};

export const pushFlags = {
  "all-tags": bool("Push all tags of an image to the repository", { short: "a" }),
  compression: text("Compression of all layers: gzip or zstd, or with a level, as zstd:19", {
    placeholder: "FORMAT[:LEVEL]",
  }),
  "disable-content-trust": disableContentTrust,
  platform: text("Push only if the image is for this platform"),
  quiet: bool("Suppress verbose output", { short: "q" }),
};

export const loginFlags = {
  password: text("Password or Personal Access Token (PAT)", { short: "p" }),
  "password-stdin": bool("Take the Password or Personal Access Token (PAT) from stdin"),
  username: text("Username", { short: "u" }),
};

export const searchFlags = {
  filter: filter('Filter output based on conditions provided ("is-official=true", "stars=3")'),
  format,
  json,
  limit: int("Max number of search results", { min: 0 }),
  "no-trunc": bool("Don't truncate output"),
};

export const pullCommand = command({
  summary: "Download an image from a registry",
  usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
  flags: pullFlags,
  args: [1, 1],
  complete: "image",
  examples: [
    ["pull debian:12", "from Docker Hub"],
    ["pull registry.example/team/app@sha256:...", "exactly this one, whatever the tags say"],
    ["pull --platform linux/arm64 debian", "for another machine"],
  ],
  load: async () => (await import("../verb/transfer.ts")).pull,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).pull,
});

export const pushCommand = command({
  summary: "Upload an image to a registry",
  usage: "[OPTIONS] NAME[:TAG]",
  flags: pushFlags,
  args: [1, 1],
  complete: "image",
  examples: [
    ["tag app registry.example/team/app:1", "the name says where it goes"],
    ["push registry.example/team/app:1", "layers that the registry has are not sent again"],
    [
      "push --compression zstd:19 registry.example/team/app:1",
      "smaller layers, for clients that can read zstd",
    ],
  ],
  load: async () => (await import("../verb/transfer.ts")).push,
  rehearse: async () => (await import("../verb/dry-run-change.ts")).push,
});

export const loginCommand = command({
  summary: "Authenticate to a registry",
  usage: "[OPTIONS] [SERVER]",
  flags: loginFlags,
  args: [0, 1],
  examples: [
    ["login registry.example", "asks for user and password"],
    ["login -u me --password-stdin registry.example < token", "in a script"],
  ],
  load: async () => (await import("../verb/login.ts")).login,
});

export const logoutCommand = command({
  summary: "Log out from a registry",
  usage: "[SERVER]",
  args: [0, 1],
  examples: [["logout registry.example", "its credentials are forgotten"]],
  load: async () => (await import("../verb/login.ts")).logout,
});

export const searchCommand = command({
  summary: "Search for images, on Docker Hub or on another registry",
  usage: "[OPTIONS] TERM | HOST/TERM",
  flags: searchFlags,
  args: [1, 1],
  examples: [["search registry.example/app", "of a registry that lists its repositories"]],
  load: async () => (await import("../verb/search.ts")).search,
});
