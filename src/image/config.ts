import { type DiffId, parseDiffId } from "./digest.ts";
import { type JsonCursor, parseJson } from "./json.ts";
import { maxLayers, merged } from "./manifest.ts";

/** Docker's health check of an image; times in nanoseconds, `Test` as ["CMD", ...], ["CMD-SHELL", text] or ["NONE"]. */
export interface HealthConfig {
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** The settings of a container whose user does not say otherwise. */
export interface ImageDefaults {
  readonly User?: string;
  /** "80/tcp" and such as keys. */
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: HealthConfig;
  readonly OnBuild?: readonly string[];
  readonly Shell?: readonly string[];
}

/** One step of how an image was made, oldest first in the list (image-spec config.md). */
export interface HistoryEntry {
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  /** The step changed the configuration alone and has no layer. */
  readonly empty_layer?: boolean;
}

/**
 * An image configuration (image-spec config.md with Docker's additions), in the
 * names of its JSON. Its digest is the image's id, so it is stored as it came;
 * this is its reading. Unknown members stay in the value, null counts as absent.
 */
export interface ImageConfig {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
  /** RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  readonly config?: ImageDefaults;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly DiffId[] };
  readonly history?: readonly HistoryEntry[];
}

const maxListed = 10_000;
const strings = (cursor: JsonCursor) => cursor.list(maxListed, (each) => each.string());
const text = (cursor: JsonCursor) => cursor.string();
const set = (cursor: JsonCursor) =>
  cursor.map(maxListed, (each) => each.optional((c) => c.object()) ?? {});

function health(cursor: JsonCursor): HealthConfig {
  return merged(cursor, {
    Test: cursor.at("Test").optional(strings),
    Interval: cursor.at("Interval").optional((c) => c.integer()),
    Timeout: cursor.at("Timeout").optional((c) => c.integer()),
    StartPeriod: cursor.at("StartPeriod").optional((c) => c.integer()),
    StartInterval: cursor.at("StartInterval").optional((c) => c.integer()),
    Retries: cursor.at("Retries").optional((c) => c.integer()),
  });
}

function defaults(cursor: JsonCursor): ImageDefaults {
  return merged(cursor, {
    User: cursor.at("User").optional(text),
    ExposedPorts: cursor.at("ExposedPorts").optional(set),
    Env: cursor.at("Env").optional(strings),
    Entrypoint: cursor.at("Entrypoint").optional(strings),
    Cmd: cursor.at("Cmd").optional(strings),
    Volumes: cursor.at("Volumes").optional(set),
    WorkingDir: cursor.at("WorkingDir").optional(text),
    Labels: cursor.at("Labels").optional((c) => c.map(maxListed, text)),
    StopSignal: cursor.at("StopSignal").optional(text),
    Healthcheck: cursor.at("Healthcheck").optional(health),
    OnBuild: cursor.at("OnBuild").optional(strings),
    Shell: cursor.at("Shell").optional(strings),
  });
}

function historyEntry(cursor: JsonCursor): HistoryEntry {
  return merged(cursor, {
    created: cursor.at("created").optional(text),
    created_by: cursor.at("created_by").optional(text),
    author: cursor.at("author").optional(text),
    comment: cursor.at("comment").optional(text),
    empty_layer: cursor.at("empty_layer").optional((c) => c.boolean()),
  });
}

function rootfs(cursor: JsonCursor): ImageConfig["rootfs"] {
  const type = cursor.at("type").string();
  if (type !== "layers") cursor.at("type").fail(`is "${type}", only "layers" is known`);
  const diffIds = cursor
    .at("diff_ids")
    .optional((c) => c.list(maxLayers, (e) => e.as(parseDiffId)));
  return merged(cursor, { type: "layers", diff_ids: diffIds ?? [] });
}

/**
 * Reads a configuration that a stranger made: `exhausted` above 4 MiB; `invalid`, with the place in
 * the document, for anything that is malformed, for more than 500 layers or 10,000 members of a
 * list, and for a history of more layers than there are. A configuration without `os` is Linux's.
 */
export function parseImageConfig(bytes: Uint8Array, about = "image configuration"): ImageConfig {
  const root = parseJson(about, bytes);
  const config: ImageConfig = merged(root, {
    architecture: root.at("architecture").optional(text) ?? "",
    os: root.at("os").optional(text) || "linux",
    variant: root.at("variant").optional(text) || undefined,
    created: root.at("created").optional(text),
    author: root.at("author").optional(text),
    config: root.at("config").optional(defaults),
    rootfs: rootfs(root.at("rootfs")),
    history: root.at("history").optional((c) => c.list(maxListed, historyEntry)),
  });
  const layers = config.rootfs.diff_ids.length;
  const told = config.history?.filter((entry) => entry.empty_layer !== true).length ?? 0;
  if (told > layers) {
    root.at("history").fail(`tells of ${told} layers, but rootfs.diff_ids has ${layers}`);
  }
  return config;
}
