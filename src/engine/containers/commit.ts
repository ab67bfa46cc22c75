import { defined, Fault, Scope } from "#base";
import type { Config } from "#container";
import type { Digest } from "#image";
import {
  applyChanges,
  familiarString,
  type ImageDefaults,
  parseReference,
  withDefaultTag,
} from "#image";
import { mountPoints } from "#snapshot";
import type { CommitRequest } from "../contract.ts";
import { crashPoint } from "../crash-point.ts";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import { holdStill } from "./pause.ts";

type CommitParts = Parts<"snapshots" | "content" | "store" | "events" | "live">;

/**
 * Makes an image of a container: its image's layers and one of its changes. Names, instructions and
 * the base are checked first; a container that runs stands still only while its files are read.
 */
export async function commitContainer(
  parts: CommitParts,
  ref: string,
  request: CommitRequest,
  signal: AbortSignal,
): Promise<Digest> {
  const record = parts.store.find(ref);
  const reference =
    request.reference === undefined ? undefined : withDefaultTag(parseReference(request.reference));
  if (reference?.digest !== undefined) {
    throw new Fault("invalid", "an image cannot be given a name with a digest", {
      about: request.reference ?? "",
    });
  }
  const config = configOf(defaultsOf(record.config), request);
  const base = parts.content.findById(record.imageId);
  if (!base && record.chainId !== undefined) {
    throw new Fault(
      "not_found",
      `the image ${record.imageId} that container ${record.name} was made of is gone; pull or load it again`,
      { about: record.imageId },
    );
  }
  await using scope = new Scope();
  if (request.pause) await holdStill(parts, record.id, scope);
  crashPoint("commit:held");
  const image = await parts.content.createImageFromUpper({
    upper: parts.snapshots.directory(record.id),
    base,
    config,
    exclude: mountPoints,
    created: request.created,
    ...defined({ reference, author: request.author || undefined }),
    history: {
      created_by: record.argv.join(" "),
      ...defined({ author: request.author || undefined, comment: request.message || undefined }),
    },
    signal,
  });
  const { id } = image;
  publishContainer(parts, record, "commit", {
    comment: request.message ?? "",
    imageID: id,
    imageRef: reference ? familiarString(reference) : "",
  });
  parts.events.publish("image", "create", id, { ...image.labels, name: id });
  if (reference)
    parts.events.publish("image", "tag", id, {
      ...image.labels,
      name: familiarString(reference),
    });
  return id;
}

/**
 * As in Docker: the instructions apply to the configuration that was sent, or without one to the
 * container's, and the container's fills in the rest.
 */
export function configOf(
  container: ImageDefaults,
  { config, changes }: Pick<CommitRequest, "config" | "changes">,
): ImageDefaults {
  if (Object.keys(config).length > 0)
    return mergeDefaults(applyChanges(config, changes), container);
  const changed = applyChanges(container, changes);
  const isNewEntrypoint = changed.Entrypoint !== container.Entrypoint;
  if (!isNewEntrypoint || changed.Cmd !== container.Cmd) return changed;
  // An entry point without a command of its own does not get the old one.
  const { Cmd: _old, ...rest } = changed;
  return rest;
}

/** A container's configuration as the defaults of an image. */
function defaultsOf(config: Config): ImageDefaults {
  const { User, ExposedPorts, Env, Entrypoint, Cmd, WorkingDir, Labels, StopSignal } = config;
  const { OnBuild, Shell } = config;
  const isEmpty = (set: object) => Object.keys(set).length === 0;
  return {
    ...(User !== "" && { User }),
    ...(!isEmpty(ExposedPorts) && { ExposedPorts }),
    ...(Env.length > 0 && { Env }),
    ...defined({ Entrypoint, Cmd }),
    ...(WorkingDir !== "" && { WorkingDir }),
    ...(!isEmpty(Labels) && { Labels }),
    ...(OnBuild.length > 0 && { OnBuild }),
    ...defined({ StopSignal, Shell }),
  };
}

/**
 * The user's settings, and the container's for the rest: single values and the command are taken
 * whole, variables, labels, ports and volumes by name. A user who gives an entry point does not get
 * the container's command.
 */
export function mergeDefaults(user: ImageDefaults, container: ImageDefaults): ImageDefaults {
  const { Cmd, Entrypoint, ...rest } = container;
  const hasEntrypoint = (user.Entrypoint ?? []).length > 0;
  const hasCmd = (user.Cmd ?? []).length > 0;
  const byName = <T>(key: "Labels" | "ExposedPorts" | "Volumes", own: T | undefined) => {
    const all = { ...container[key], ...own };
    return Object.keys(all).length > 0 ? { [key]: all } : {};
  };
  const env = mergeEnv(user.Env ?? [], container.Env ?? []);
  return {
    ...rest,
    ...(Cmd && !hasEntrypoint && !hasCmd && { Cmd }),
    ...(Entrypoint && !hasEntrypoint && { Entrypoint }),
    ...user,
    ...byName("Labels", user.Labels),
    ...byName("ExposedPorts", user.ExposedPorts),
    ...byName("Volumes", user.Volumes),
    ...(env.length > 0 && { Env: env }),
  };
}

/** The container's variables with the user's in their places, and those that are new after them. */
function mergeEnv(user: readonly string[], container: readonly string[]): readonly string[] {
  const nameOf = (variable: string) => variable.split("=", 1)[0] ?? "";
  const all = new Map([...container, ...user].map((variable) => [nameOf(variable), variable]));
  return [...all.values()];
}
