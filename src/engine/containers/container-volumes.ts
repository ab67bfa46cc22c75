import { posix } from "node:path";
import { type ContainerId, Fault, isFault, newId, type Scope } from "#base";
import {
  bindsOf,
  checkTarget,
  cleanTarget,
  ociPlaced,
  type PlacedMount,
  type PlacedVolume,
  type VolumeMount,
  volumesOf,
} from "#container";
import {
  descriptorPath,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
} from "#kernel";
import type { Volume, VolumeRequest } from "#volume";
import { mountLayers } from "../images/image-mount.ts";
import { mayHave } from "../images/layer-path.ts";
import type { Parts } from "../parts.ts";
import { anonymousLabel, publishVolume } from "../volumes/volume-event.ts";
import type { ContainerRecord } from "./container-record.ts";

/** A volume that a creation asks for. */
interface WantedVolume extends VolumeRequest {
  readonly name: string;
  readonly anonymous: boolean;
  readonly target: string;
  /** Fill it with what the image has at the target, if it is empty. */
  readonly copy: boolean;
}

/** What a container mounts beside its own binds and tmpfs, and the volumes that this takes. */
export interface Placement {
  readonly placed: readonly PlacedMount[];
  readonly wanted: readonly WantedVolume[];
}

type Draft = Pick<ContainerRecord, "config" | "host" | "owner">;

/**
 * Decides what is mounted where: mounts of other containers give way to the container's own, and
 * volumes of the image or of `-v /target` to everything. Nothing is made. `invalid` for targets, and
 * for another container that is not there.
 */
export function placeMounts(parts: Parts<"store">, draft: Draft): Placement {
  const { config, host } = draft;
  const placed = inheritedMounts(parts, draft);
  const wanted: WantedVolume[] = [];
  const taken = [...bindsOf(host), ...host.Tmpfs, ...host.Mounts.tmpfs].map(({ target }) =>
    cleanTarget(target),
  );
  for (const target of taken) placed.delete(target);
  const place = (mount: VolumeMount, mode: string) => {
    const { target, readonly, subpath } = mount;
    const name = mount.volume || newId();
    const anonymous = mount.volume === "";
    placed.set(target, { volume: name, anonymous, target, mode, readonly, subpath });
    wanted.push({ ...requestOf(mount, draft), name, anonymous, target, copy: mount.copy });
  };
  // Docker's label for SELinux, which it shows where no options are given.
  for (const mount of volumesOf(host)) place(mount, mount.mode || "z");
  for (const each of Object.keys(config.Volumes)) {
    const target = cleanTarget(posix.join("/", each));
    checkTarget(target, "a volume");
    if (!placed.has(target) && !taken.includes(target)) place({ ...plainVolume, target }, "");
  }
  return { placed: [...placed.values()], wanted };
}

const plainVolume: Omit<VolumeMount, "target"> = {
  ...{ volume: "", mode: "", readonly: false, copy: true, subpath: "" },
  ...{ driver: "", options: undefined, labels: undefined },
};

function requestOf({ driver, options, labels }: VolumeMount, { host, owner }: Draft) {
  return { driver: driver || host.VolumeDriver, options, labels, owner };
}

function inheritedMounts(parts: Parts<"store">, { host }: Draft): Map<string, PlacedMount> {
  const found = new Map<string, PlacedMount>();
  for (const { container, readonly: all } of host.VolumesFrom) {
    const other = findOther(parts, container);
    for (const mount of [...bindsOf(other.host), ...other.placed]) {
      const readonly = mount.readonly || all;
      found.set(cleanTarget(mount.target), {
        ...mount,
        ...{ readonly, mode: "" },
        ...(!("volume" in mount) && { createSource: false }),
      } as PlacedMount);
    }
  }
  return found;
}

/** Clients would take `not_found` for the image's, and pull it. */
function findOther(parts: Parts<"store">, ref: string): ContainerRecord {
  try {
    return parts.store.find(ref);
  } catch (cause) {
    throw new Fault("invalid", `No such container: ${ref}`, { about: ref, cause });
  }
}

/** The volumes among the mounts. */
export function placedVolumes({
  placed,
}: Pick<ContainerRecord, "placed">): readonly PlacedVolume[] {
  return placed.filter((mount): mount is PlacedVolume => mount.volume !== undefined);
}

/** The mounts as the OCI configuration has them; `sources`: places of parts of volumes, by target. */
export function ociMounts(
  parts: Parts<"volumes">,
  { placed }: Pick<ContainerRecord, "placed">,
  sources: ReadonlyMap<string, string> = new Map(),
) {
  const sourceOf = ({ volume = "", target, subpath = "" }: Partial<PlacedVolume>) =>
    sources.get(target ?? "") ?? posix.join(parts.volumes.pathOf(volume), subpath);
  return placed.map((mount) => ociPlaced(mount, mount.volume === undefined ? "" : sourceOf(mount)));
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
      const result = parts.volumes.create({ ...request, labels, anonymous }, id);
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
      copy && !parted.has(target) && mayHave(stack, target) && parts.volumes.mayFill(name),
  );
  if (filled.length === 0) return;
  await using layers = await mountLayers(parts, stack);
  for (const { name, target, anonymous } of filled) {
    try {
      using from = openat2(layers.root, target, {
        flags: O_RDONLY | O_DIRECTORY,
        resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
      });
      await parts.volumes.fill(name, from);
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

/** What a run mounts beside whole volumes, open until it is disposed. */
interface OpenParts extends Disposable {
  /** Places of parts of volumes, by target. */
  readonly sources: ReadonlyMap<string, string>;
}

/**
 * Makes the volumes ready for a run; the scope gives them back. Links in parts of volumes were
 * followed once, within the volume, and the place stays the same.
 */
export async function holdVolumes(
  parts: Parts<"volumes" | "events">,
  record: ContainerRecord,
  scope: Scope,
): Promise<OpenParts> {
  using opened = new DisposableStack();
  const sources = new Map<string, string>();
  if (record.placed.length > 0) scope.defer(() => releaseVolumes(parts, record));
  for (const mount of placedVolumes(record)) {
    const path = await parts.volumes.hold(mount.volume, record.id);
    if (mount.subpath !== "") sources.set(mount.target, openPart(path, mount.subpath, opened));
    publishVolume(parts, "mount", mount.volume, {
      container: record.id,
      destination: mount.target,
      propagation: "",
      "read/write": String(!mount.readonly),
    });
  }
  const owned = opened.move();
  return { sources, [Symbol.dispose]: () => owned.dispose() };
}

function openPart(path: string, subpath: string, opened: DisposableStack): string {
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
  for (const { volume } of placedVolumes(record)) {
    if (!parts.volumes.isHeld(volume, record.id)) continue;
    await parts.volumes.release(volume, record.id);
    publishVolume(parts, "unmount", volume, { container: record.id });
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
      await parts.volumes.remove(name);
      publishVolume(parts, "destroy", name);
    } catch (error) {
      // Another container has it by now; anything else is tried again by the next start.
      if (isFault(error, "conflict")) parts.volumes.keep([name]);
    }
  }
}
