import type { Builder } from "#build";
import { familiarString } from "#image";
import type { Builds } from "../contract.ts";
import { mountForUs } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";
import { findBaseImage } from "./base-image.ts";
import { platformsHere } from "./emulation.ts";
import { RegistryCache } from "./registry-cache.ts";
import { createStepRunner } from "./step-runner.ts";

type BuildParts = Parts<
  | "paths"
  | "state"
  | "clock"
  | "log"
  | "content"
  | "snapshots"
  | "tasks"
  | "networks"
  | "background"
  | "registry"
  | "trust"
  | "events"
>;

/** Builds with the engine's images, networks and tasks. */
export function createBuilds(parts: BuildParts): Builds {
  let opened: Promise<Builder> | undefined;
  return {
    platforms: platformsHere,
    builder: () => {
      opened ??= openBuilds(parts);
      return opened;
    },
    registryCache: (cache, credentials) => new RegistryCache(parts, cache, credentials),
  };
}

async function openBuilds(parts: BuildParts): Promise<Builder> {
  const { openBuilder } = await import("#build");
  const { state, clock, log, content, snapshots } = parts;
  return await openBuilder({
    ...{ state, clock, log, content, snapshots },
    root: parts.paths.builds,
    runner: createStepRunner(parts),
    images: { find: (image, options) => findBaseImage(parts, image, options) },
    mount: (mounts) => mountForUs(parts, mounts),
    onImage: (image, tags) => {
      parts.events.publish("image", "create", image.id, { ...image.labels, name: image.id });
      for (const tag of tags) {
        const attributes = { ...image.labels, name: familiarString(tag) };
        parts.events.publish("image", "tag", image.id, attributes);
      }
    },
  });
}
