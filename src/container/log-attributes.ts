import { hostname } from "node:os";
import { Fault, goPattern } from "#base";
import type { LogSubject } from "#log-driver";
import type { LogConfig } from "./log-config.ts";
import { type LoggedContainer, tagOf } from "./log-tag.ts";

/** At most this much in each line of a log. */
const attributesLimit = 32_768;

/**
 * The text that json-file adds to each line as `attrs`: the tag, and labels and variables that are
 * chosen by name or by expression. A JSON object, with sorted keys and escaped as Docker's encoder
 * does it; undefined when it would be empty.
 */
export function logAttributes(
  path: string,
  log: LogConfig,
  container: LoggedContainer,
): string | undefined {
  if (log.Type !== "json-file") return undefined;
  const { tag } = log.Config;
  const found = chosenAttributes(log, container);
  if (tag) found.set("tag", tagOf(tag, container, { path, options: log.Config, chosen: found }));
  if (found.size === 0) return undefined;
  const members = [...found].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const text = `{${members.map(([key, value]) => `${quoted(key)}:${quoted(value)}`).join(",")}}`;
  if (Buffer.byteLength(text) > attributesLimit)
    throw new Fault(
      "invalid",
      `the labels, variables and tag that the log options choose take ${Buffer.byteLength(text)} bytes in each line; at most ${attributesLimit} are accepted`,
    );
  return text;
}

/** What a receiver is told of a container with each line of its log. */
export function logSubject(path: string, log: LogConfig, container: LoggedContainer): LogSubject {
  const attributes = chosenAttributes(log, container);
  const source = { path, options: log.Config, chosen: attributes };
  const { id, name, imageId, argv, createdAt, config } = container;
  return {
    ...{ id, name, imageId, createdAt, attributes },
    imageName: config.Image,
    command: argv.join(" "),
    hostname: hostname(),
    tag: tagOf(log.Config.tag || defaultTag, container, source),
  };
}

/** Docker's, of the drivers that have one. */
const defaultTag = "{{.ID}}";

/** The labels and variables that a log's options choose by name or by expression. */
function chosenAttributes(log: LogConfig, { config }: LoggedContainer): Map<string, string> {
  const { labels, env, "labels-regex": labelsLike, "env-regex": envLike } = log.Config;
  const found = new Map<string, string>();
  const choose = chooser(labels, labelsLike);
  for (const [name, value] of Object.entries(config.Labels))
    if (choose(name)) found.set(name, value);
  const chooseVariable = chooser(env, envLike);
  for (const variable of config.Env) {
    const [name = "", ...value] = variable.split("=");
    if (value.length > 0 && chooseVariable(name)) found.set(name, value.join("="));
  }
  return found;
}

function chooser(names: string | undefined, like: string | undefined): (name: string) => boolean {
  const listed = new Set((names ?? "").split(","));
  const expression = like ? goPattern(like) : undefined;
  return (name) => listed.has(name) || expression?.test(name) === true;
}

/** As Go's encoding/json quotes a string. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
