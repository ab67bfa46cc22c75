import { Fault } from "#base";
import type { CacheOption } from "#engine";
import { parseJson, parsePlatform } from "#image";
import type { ImageRef } from "./solutions.ts";
import type { BuildRequest, ContextPlace, Ulimit } from "./solver.ts";

/** The options of BuildKit's Dockerfile frontend (frontend/dockerui in moby/buildkit), by name. */
type Options = ReadonlyMap<string, string>;

/** What the options say, without the files that they name. */
export type FrontendRequest = Omit<
  BuildRequest,
  "dockerfile" | "ignore" | "outputs" | "client" | "signal" | "report" | "enter" | "hasInlineCache"
> & {
  /** The client's directory that has the Dockerfile. */
  readonly dockerfilePlace: ContextPlace;
  /** What is asked for instead of a build, as "frontend.lint"; "" for a build. */
  readonly call: string;
  /** Whether an index is made also of one platform. */
  readonly isMultiPlatform: boolean;
};

const known = new Set([
  ...["filename", "target", "context", "contextkey", "dockerfilekey", "contextsubdir", "requestid"],
  ...["platform", "no-cache", "image-resolve-mode", "force-network-mode", "add-hosts", "shm-size"],
  ...["ulimit", "cgroup-parent", "multi-platform", "cmdline", "source", "hostname", "cache-from"],
  ...["cache-imports", "build-arg-null"],
]);
const families = [
  "build-arg:",
  "label:",
  "context:",
  "local:",
  "attest:",
  "vcs:",
  "input-metadata:",
];
/** Of what every client sends, and what nothing here depends on. */
const ignored = /^(localsessionid:|frontend\.caps$|vcs:|input-metadata:|local-sessionid)/;

/**
 * Reads the options of a Solve. `unsupported` names an option that is not known: a build that does
 * without it would not be the one that was asked for.
 */
export function readFrontendOptions(
  options: Options,
  more: {
    readonly inputs: ReadonlyMap<string, ImageRef>;
    readonly entitlements: readonly string[];
    readonly cacheImports: readonly CacheOption[];
  },
): FrontendRequest {
  for (const name of options.keys()) {
    const isKnown = known.has(name) || families.some((family) => name.startsWith(family));
    if (!isKnown && !ignored.test(name))
      throw new Fault(
        "unsupported",
        `the option ${name} of the Dockerfile frontend is not supported`,
      );
  }
  const text = (name: string) => options.get(name) ?? "";
  const list = (name: string) => text(name).split(",").filter(Boolean);
  const noCache = options.get("no-cache");
  const placeOf = (value: string) => placeFrom(value, more.inputs);
  const place = contextPlace(options, more.inputs);
  const shmSize = text("shm-size");
  return {
    call: text("requestid"),
    isMultiPlatform: text("multi-platform") === "true",
    dockerfilePlace: dockerfilePlace(options, place),
    dockerfileName: text("filename") || "Dockerfile",
    context: place,
    contexts: family(options, "context:", placeOf),
    target: text("target"),
    buildArgs: family(options, "build-arg:", (value) => value),
    labels: family(options, "label:", (value) => value),
    platforms: list("platform").map((platform) => parsePlatform(platform)),
    noCache: noCache === undefined ? false : noCache === "" ? true : noCache.split(","),
    pull: text("image-resolve-mode") === "pull",
    network: text("force-network-mode"),
    extraHosts: list("add-hosts").map((host) => host.replace("=", ":")),
    shmSize: shmSize === "" ? undefined : parseSize(shmSize),
    ulimits: list("ulimit").map(parseUlimit),
    cgroupParent: text("cgroup-parent"),
    attestations: family(options, "attest:", (value) => value),
    entitlements: more.entitlements,
    cacheImports: [...more.cacheImports, ...cacheImports(text("cache-imports"))],
  };
}

const maxCaches = 100;

/** `[{"Type":"registry","Attrs":{"ref":"..."}}]`, as buildx sends it. */
function cacheImports(text: string): CacheOption[] {
  if (text === "") return [];
  return parseJson("the option cache-imports", Buffer.from(text)).list(maxCaches, (each) => ({
    type: each.at("Type").string(),
    attributes: new Map(
      Object.entries(
        each.at("Attrs").optional((attrs) => attrs.map(maxCaches, (a) => a.string())) ?? {},
      ),
    ),
  }));
}

function family<T>(options: Options, prefix: string, read: (value: string) => T): Map<string, T> {
  return new Map(
    [...options]
      .filter(([name]) => name.startsWith(prefix))
      .map(([name, value]) => [name.slice(prefix.length), read(value)]),
  );
}

/** Where the client puts a context that it streams: "http://buildkit-session/ID". */
const uploadPrefix = "http://buildkit-session";

function contextPlace(options: Options, inputs: ReadonlyMap<string, ImageRef>): ContextPlace {
  const context = options.get("context");
  const input = inputs.get("context");
  if (input) return { kind: "result", ...input };
  if (context === undefined)
    return { kind: "client", name: options.get("contextkey") ?? "context" };
  return placeFrom(context, inputs);
}

function dockerfilePlace(options: Options, context: ContextPlace): ContextPlace {
  const key = options.get("dockerfilekey");
  // A context that is no directory of the client's holds the Dockerfile, unless the client sends it.
  if (context.kind !== "client" && key === undefined) return context;
  return { kind: "client", name: key ?? "dockerfile" };
}

function placeFrom(value: string, inputs: ReadonlyMap<string, ImageRef>): ContextPlace {
  const [scheme = "", rest = ""] = splitOnce(value, ":");
  if (value.startsWith(uploadPrefix))
    return { kind: "upload", path: value.slice(uploadPrefix.length) };
  switch (scheme) {
    case "docker-image":
      return { kind: "image", reference: rest.replace(/^\/\//, "") };
    case "local":
      return { kind: "client", name: rest };
    case "oci-layout": {
      // "//STORE[:TAG]@DIGEST"; the client has looked the tag up.
      const [name = "", reference = ""] = splitOnce(rest.replace(/^\/\//, ""), "@");
      const [store = ""] = splitOnce(name, ":");
      return { kind: "layout", store, reference };
    }
    case "input": {
      const input = inputs.get(rest);
      if (!input) throw new Fault("invalid", `the build has no input ${rest}`, { about: rest });
      return { kind: "result", ...input };
    }
    default:
      return { kind: "remote", url: value };
  }
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + separator.length)];
}

function parseSize(text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Fault("invalid", `invalid shm-size: ${text}`);
  return Number(text);
}

/** "nofile=1024:2048". */
function parseUlimit(text: string): Ulimit {
  const match = /^(\w+)=(-?\d{1,15})(?::(-?\d{1,15}))?$/.exec(text);
  const [, Name, soft, hard = soft] = match ?? [];
  if (Name === undefined) throw new Fault("invalid", `invalid ulimit: ${text}`, { about: text });
  return { Name, Soft: Number(soft), Hard: Number(hard) };
}
