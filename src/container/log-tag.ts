import { hostname } from "node:os";
import { Fault, formatTime, shortId } from "#base";
import { compileTemplate, type Template } from "#template";
import type { Config } from "./config-options.ts";

/** The parts of a container from which the attributes of its log are made. */
export interface LoggedContainer {
  readonly id: string;
  readonly name: string;
  /** With its algorithm. */
  readonly imageId: string;
  readonly argv: readonly string[];
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  readonly config: Pick<Config, "Image" | "Env" | "Labels">;
}

/** The place of a container's log, and the options that were asked for. */
export interface LogSource {
  readonly path: string;
  readonly options: Readonly<Record<string, string>>;
  /** The labels and variables that are chosen for each line. */
  readonly chosen: ReadonlyMap<string, string>;
}

const documented = ["ID", "FullID", "Name", "ImageID", "ImageFullID", "ImageName", "DaemonName"];

/** Faults unless a tag can be read as a template; whether its fields are there only a container shows. */
export function checkTag(tag: string): void {
  compiled(tag);
}

/** The text of a tag for a container, a template over what Docker's logger.Info has. */
export function tagOf(tag: string, container: LoggedContainer, source: LogSource): string {
  const template = compiled(tag);
  try {
    return template(logInfo(container, source));
  } catch (error) {
    throw unreadable(tag, error);
  }
}

function compiled(tag: string): Template {
  try {
    return compileTemplate(tag);
  } catch (error) {
    throw unreadable(tag, error);
  }
}

function unreadable(tag: string, cause: unknown): Fault {
  const fields = documented.map((name) => `{{.${name}}}`).join(", ");
  return new Fault(
    "invalid",
    `cannot read the log tag ${JSON.stringify(tag)}: ${(cause as Error).message}; a tag is a template with fields such as ${fields}`,
    { about: tag, cause },
  );
}

/** The fields first, in the order in which `{{json .}}` shows them; then the methods. */
function logInfo(container: LoggedContainer, { path, options, chosen }: LogSource): object {
  const { id, name, imageId, argv, config } = container;
  return {
    Config: goMap(Object.entries(options)),
    ContainerID: id,
    ContainerName: `/${name}`,
    ContainerEntrypoint: argv[0] ?? "",
    ContainerArgs: argv.slice(1),
    ContainerImageID: imageId,
    ContainerImageName: config.Image,
    ContainerCreated: formatTime(container.createdAt),
    ContainerEnv: config.Env,
    ContainerLabels: goMap(Object.entries(config.Labels)),
    LogPath: path,
    DaemonName: "thimble",
    ID: () => shortId(id),
    FullID: () => id,
    Name: () => name,
    ImageID: () => shortId(imageId),
    ImageFullID: () => imageId,
    ImageName: () => config.Image,
    Command: () => argv.join(" "),
    ExtraAttributes: (_renamed: unknown) => goMap(chosen),
    Hostname: () => hostname(),
  };
}

/** As templates know maps, which have no value for a key that they lack. */
function goMap(entries: Iterable<readonly [string, string]>): object {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.assign(Object.create(null), Object.fromEntries(sorted));
}
