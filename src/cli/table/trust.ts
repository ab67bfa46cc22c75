import { command, group, many } from "../command.ts";
import { bool, commaList, list, map, text } from "../flag.ts";
import { json } from "./containers.ts";

export const signFlags = {
  key: text(
    "File of the private key, as cosign makes it; its password is $COSIGN_PASSWORD, or asked for",
    { complete: "file" },
  ),
  annotation: map("Annotation to sign as well (KEY=VALUE)", { short: "a" }),
};

export const verifyFlags = {
  key: list("File of a public key; with several, one match is enough", { complete: "file" }),
  annotation: map("Annotation that the signature must have (KEY=VALUE)", { short: "a" }),
  json,
};

const insecure = bool("Allow communication with an insecure registry");

export const manifestCreateFlags = {
  amend: bool("Amend an existing manifest list", { short: "a" }),
  insecure,
};

export const manifestAnnotateFlags = {
  arch: text("Set architecture"),
  os: text("Set operating system"),
  "os-features": commaList("Set operating system feature"),
  "os-version": text("Set operating system version"),
  variant: text("Set architecture variant"),
};

export const manifestInspectFlags = {
  insecure,
  verbose: bool("Output additional info including the descriptor", { short: "v" }),
};

export const manifestPushFlags = {
  insecure,
  purge: bool("Remove the local manifest list after push", { short: "p" }),
};

const artifactType = text("Type of the artifact, a media type");

export const attachArtifactFlags = {
  "artifact-type": artifactType,
  annotation: map("Annotation of the artifact (KEY=VALUE)", { short: "a" }),
};

export const listArtifactsFlags = { "artifact-type": artifactType, json };

export const fetchArtifactFlags = {
  "artifact-type": artifactType,
  output: text("Directory for the files", { short: "o", complete: "file", shownDefault: "." }),
};

export const signCommand = command({
  summary: "Sign images in their registry, as cosign does",
  usage: "[OPTIONS] --key FILE IMAGE [IMAGE...]",
  flags: signFlags,
  args: [1, many],
  complete: "image",
  examples: [["sign --key me.key registry.example/app:1", "sign an image with a key"]],
  load: async () => (await import("../verb/sign.ts")).sign,
});

export const verifyCommand = command({
  summary: "Check that images are signed by a key",
  usage: "[OPTIONS] --key FILE IMAGE [IMAGE...]",
  flags: verifyFlags,
  args: [1, many],
  complete: "image",
  examples: [["verify --key me.pub registry.example/app:1", "show the signatures of the image"]],
  load: async () => (await import("../verb/sign.ts")).verify,
});

export const trustGroup = group("Manage keys for signing", {
  key: group("Manage keys", {
    generate: command({
      summary:
        "Make a key pair: NAME.key, sealed with a password ($COSIGN_PASSWORD, or asked for), and NAME.pub",
      usage: "NAME",
      args: [1, 1],
      examples: [["trust key generate me", "write me.key and me.pub"]],
      load: async () => (await import("../verb/sign.ts")).createKey,
    }),
  }),
});

export const manifestGroup = group("Manage image manifests and manifest lists", {
  annotate: command({
    summary: "Add additional information to a local image manifest",
    usage: "[OPTIONS] MANIFEST_LIST MANIFEST",
    flags: manifestAnnotateFlags,
    args: [2, 2],
    examples: [
      [
        "manifest annotate --arch arm64 --variant v8 registry.example/app:1 registry.example/app:1-arm64",
        "an image that does not name its own platform",
      ],
    ],
    load: async () => (await import("../verb/manifest.ts")).annotate,
  }),
  create: command({
    summary: "Create a local manifest list for annotating and pushing to a registry",
    usage: "[OPTIONS] MANIFEST_LIST MANIFEST [MANIFEST...]",
    flags: manifestCreateFlags,
    args: [2, many],
    examples: [
      [
        "manifest create registry.example/app:1 registry.example/app:1-amd64 registry.example/app:1-arm64",
        "one name for two platforms",
      ],
    ],
    load: async () => (await import("../verb/manifest.ts")).create,
  }),
  inspect: command({
    summary: "Display an image manifest, or manifest list",
    usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
    flags: manifestInspectFlags,
    args: [1, 2],
    examples: [
      [
        "manifest inspect registry.example/app:1",
        "the manifest that the registry has for this name",
      ],
    ],
    load: async () => (await import("../verb/manifest.ts")).inspect,
  }),
  push: command({
    summary: "Push a manifest list to a repository",
    usage: "[OPTIONS] MANIFEST_LIST",
    flags: manifestPushFlags,
    args: [1, 1],
    examples: [["manifest push --purge registry.example/app:1", "and forget the list here"]],
    load: async () => (await import("../verb/manifest.ts")).push,
  }),
  rm: command({
    summary: "Delete one or more manifest lists from local storage",
    usage: "MANIFEST_LIST [MANIFEST_LIST...]",
    args: [1, many],
    load: async () => (await import("../verb/manifest.ts")).remove,
  }),
});

export const artifactGroup = group("Keep files beside an image in its registry", {
  attach: command({
    summary: "Attach files to an image: an SBOM, a scan, a licence",
    usage: "[OPTIONS] --artifact-type TYPE IMAGE FILE[:MEDIATYPE] [FILE...]",
    flags: attachArtifactFlags,
    args: [2, many],
    examples: [
      [
        "artifact attach --artifact-type application/spdx+json registry.example/app:1 sbom.json:application/json",
        "put an SBOM beside an image",
      ],
    ],
    load: async () => (await import("../verb/artifact.ts")).attach,
  }),
  fetch: command({
    summary: "Fetch the files of an artifact, or of all that refer to an image",
    usage: "[OPTIONS] IMAGE|ARTIFACT",
    flags: fetchArtifactFlags,
    args: [1, 1],
    examples: [
      ["artifact fetch -o out registry.example/app:1", "the files that are attached to the image"],
    ],
    load: async () => (await import("../verb/artifact.ts")).fetch,
  }),
  ls: command({
    summary: "List the artifacts that refer to an image",
    usage: "[OPTIONS] IMAGE",
    flags: listArtifactsFlags,
    args: [1, 1],
    examples: [["artifact ls registry.example/app:1", "signatures and attached files"]],
    load: async () => (await import("../verb/artifact.ts")).list,
  }),
});
