import { posix } from "node:path";
import { type ContainerId, Fault, isFault, Scope } from "#base";
import { ociBind, ociVolume, type PlacedMount, type PlacedVolume } from "#container";
import {
  descriptorPath,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";
import type { Volume } from "#volume";
import { mountLayers } from "../images/image-mount.ts";
import { mayHave } from "../images/layer-path.ts";
import type { Parts } from "../parts.ts";
import { anonymousLabel, publishVolume } from "../volumes/volume-event.ts";
import { imageMount, openImagePart, placedImages } from "./container-images.ts";
import type { ContainerRecord } from "./container-record.ts";
import type { Placement } from "./place-mounts.ts";
import type { RunInput } from "./task-input.ts";

/** The volumes among the mounts. */
export function placedVolumes({
  placed,
}: Pick<ContainerRecord, "placed">): readonly PlacedVolume[] {
  return placed.filter((mount): mount is PlacedVolume => mount.volume !== undefined);
}

/** The mounts as the OCI configuration has them. */
export function ociMounts(
  parts: Parts<"volumes" | "snapshots">,
  { placed }: Pick<ContainerRecord, "placed">,
  { sources, owners }: Pick<RunInput, "sources" | "owners">,
) {
  return placed.map((mount: PlacedMount) => {
    const source = sources?.get(mount.target);
    if (mount.image !== undefined) return imageMount(parts, mount, source);
    if (mount.volume === undefined) return ociBind(mount, owners?.get(mount.target));
    const whole = () => posix.join(parts.volumes.pathOf(mount.volume), mount.subpath);
    return ociVolume(mount, source ?? whole());
  });
}

/** The volumes of a container that is made. */
interface ClaimedVolumes {
  readonly made: readonly Volume[];
  /** Of all of them: another creation may have made one, and not succeed. */
  readonly names: readonly string[];
}

/**
 * Makes the volumes that are missing, and keeps all of them from being removed until it is disposed;
 * those that were made go then, unless the container has come to exist.
 */
export async function claimVolumes(
  parts: Parts<"volumes">,
  id: ContainerId,
  { wanted, placed }: Placement,
): Promise<AsyncDisposable & ClaimedVolumes> {
  const made: Volume[] = [];
  const names = placedVolumes({ placed }).map(({ volume }) => volume);
  const asked = new Set<string>();
  try {
    for (const { anonymous, ...request } of wanted) {
      asked.add(request.name);
      const labels = anonymous ? { ...request.labels, ...anonymousLabel } : request.labels;
      const result = await parts.volumes.create({ ...request, labels, anonymous }, id);
      if (result.made) made.push(result.volume);
    }
    for (const name of names) if (!asked.has(name)) parts.volumes.claim(name, id);
  } catch (error) {
    await parts.volumes.unclaim(id);
    throw error;
  }
  return { made, names, [Symbol.asyncDispose]: () => parts.volumes.unclaim(id) };
}

/** Fills empty volumes with what the image has at their targets; its layers are mounted for that, and no link of it leads out of them. */
export async function fillVolumes(
  parts: Parts<"paths" | "snapshots" | "volumes">,
  { id, chainId }: Pick<ContainerRecord, "id" | "chainId">,
  { wanted, placed }: Placement,
): Promise<void> {
  const parted = new Set(
    placedVolumes({ placed }).flatMap((each) => (each.subpath ? [each.target] : [])),
  );
  if (chainId === undefined) return;
  const stack = parts.snapshots.layers(id);
  const filled = wanted.filter(
    ({ name, copy, target }) =>
      copy && !parted.has(target) && mayHave(stack, target) && parts.volumes.copies.mayFill(name),
  );
  if (filled.length === 0) return;
  await using layers = await mountLayers(parts, stack);
  for (const { name, target, anonymous } of filled) {
    try {
      using from = openat2(layers.root, target, {
        flags: O_RDONLY | O_DIRECTORY,
        resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
      });
      await parts.volumes.copies.fill(name, from);
    } catch (error) {
      if (!isFault(error)) throw error;
      if (error.code === "not_found" && error.errno === "ENOENT") continue;
      if (error.errno !== "ENOTDIR") throw error;
      const why = anonymous
        ? `cannot mount volume over existing file, file exists ${target}`
        : `source ${target} is not directory`;
      throw new Fault("invalid", why, { about: target, cause: error });
    }
  }
}

/** What a run mounts beside whole volumes and images, open until it is disposed. */
interface OpenParts extends AsyncDisposable {
  /** Places of parts of volumes and images, by target. */
  readonly sources: ReadonlyMap<string, string>;
}

/**
 * Makes the volumes ready for a run; the scope gives them back. Links in parts of volumes and images
 * were followed once, within the whole, and the place stays the same.
 */
export async function holdVolumes(
  parts: Parts<"paths" | "snapshots" | "volumes" | "events">,
  record: ContainerRecord,
  scope: Scope,
): Promise<OpenParts> {
  await using opened = new Scope();
  const sources = new Map<string, string>();
  if (record.placed.length > 0) scope.defer(() => releaseVolumes(parts, record));
  for (const mount of placedVolumes(record)) {
    const path = await parts.volumes.holders.hold(mount.volume, record.id);
    const driver = driverOf(parts, mount.volume);
    if (mount.subpath !== "") sources.set(mount.target, openPart(path, mount.subpath, opened));
    // Where a plugin has its volumes, no plan can know before.
    else if (driver !== "local") sources.set(mount.target, path);
    publishVolume(parts, "mount", mount.volume, {
      container: record.id,
      destination: mount.target,
      driver,
      propagation: "",
      "read/write": String(!mount.readonly),
    });
  }
  for (const mount of placedImages(record))
    if (mount.subpath !== "") sources.set(mount.target, await openImagePart(parts, mount, opened));
  const owned = opened.release();
  return { sources, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/**
 * Makes the volumes ready for a look at a container's files, which holds them under an id of its
 * own and tells nobody; the scope gives them back. Gives the places of all mounts that are not the
 * whole of an image or the host's, by target.
 */
export async function holdForView(
  parts: Parts<"paths" | "snapshots" | "volumes">,
  record: ContainerRecord,
  { holder, scope }: { readonly holder: string; readonly scope: Scope },
): Promise<ReadonlyMap<string, string>> {
  const sources = new Map<string, string>();
  for (const { volume, subpath, target } of placedVolumes(record)) {
    scope.defer(() => parts.volumes.holders.release(volume, holder));
    const path = await parts.volumes.holders.hold(volume, holder);
    sources.set(target, subpath === "" ? path : openPart(path, subpath, scope));
  }
  for (const mount of placedImages(record))
    if (mount.subpath !== "") sources.set(mount.target, await openImagePart(parts, mount, scope));
  return sources;
}

function driverOf(parts: Parts<"volumes">, name: string): string {
  return parts.volumes.find(name)?.driver ?? "local";
}

function openPart(path: string, subpath: string, opened: Scope): string {
  try {
    using root = openat2(undefined, path, { flags: O_PATH | O_DIRECTORY });
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return descriptorPath(opened.use(openat2(root, subpath, { flags: O_PATH, resolve })));
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new Fault(
      "invalid",
      `cannot access path ${posix.join(path, subpath)}: ${error.message}`,
      {
        about: subpath,
        cause: error,
      },
    );
  }
}

/** Gives back what a run holds; harmless when it holds nothing. */
export async function releaseVolumes(
  parts: Parts<"volumes" | "events">,
  record: Pick<ContainerRecord, "id" | "placed">,
): Promise<void> {
  const mounted = placedVolumes(record)
    .map(({ volume }) => volume)
    .filter((volume) => parts.volumes.holders.has(volume, record.id));
  for (const volume of mounted) {
    await parts.volumes.holders.release(volume, record.id);
    // As many as there were mounts of it.
    const driver = driverOf(parts, volume);
    publishVolume(parts, "unmount", volume, { container: record.id, driver });
  }
}

/** The containers that have a volume, running or not. */
export function usersOf(parts: Parts<"store">, name: string): readonly ContainerId[] {
  const users: ContainerId[] = [];
  for (const record of parts.store.all())
    if (placedVolumes(record).some(({ volume }) => volume === name)) users.push(record.id);
  return users;
}

/** The volumes of a container's own that go with it: those that nobody else has. */
export function ownVolumes(parts: Parts<"store">, record: ContainerRecord): readonly string[] {
  return placedVolumes(record)
    .filter(({ anonymous, volume }) => anonymous && usersOf(parts, volume).length === 1)
    .map(({ volume }) => volume);
}

/** Removes volumes that were abandoned with their container; one that is in use again stays. */
export async function removeAbandoned(
  parts: Parts<"volumes" | "events">,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    try {
      const driver = driverOf(parts, name);
      await parts.volumes.remove(name);
      publishVolume(parts, "destroy", name, { driver });
    } catch (error) {
      // Another container has it by now; anything else is tried again by the next start.
      if (isFault(error, "conflict")) parts.volumes.keep([name]);
    }
  }
}
