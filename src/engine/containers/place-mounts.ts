import { posix } from "node:path";
import { Fault, newId } from "#base";
import {
  bindsOf,
  checkTarget,
  cleanTarget,
  type PlacedMount,
  type VolumeMount,
  volumesOf,
} from "#container";
import type { VolumeRequest } from "#volume";
import type { Parts } from "../parts.ts";
import { placeImage } from "./container-images.ts";
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
export function placeMounts(parts: Parts<"content" | "trust" | "store">, draft: Draft): Placement {
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
  for (const image of host.Mounts.images) placed.set(image.target, placeImage(parts, image));
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
    const mounts: readonly PlacedMount[] = [...bindsOf(other.host), ...other.placed];
    for (const mount of mounts)
      found.set(cleanTarget(mount.target), inherited(mount, { readonly: all }));
  }
  return found;
}

/** A mount of another container, whose binds have their sources already. */
function inherited(mount: PlacedMount, { readonly }: { readonly readonly: boolean }): PlacedMount {
  if (mount.image !== undefined) return mount;
  const changed = { readonly: mount.readonly || readonly, mode: "" };
  if (mount.volume !== undefined) return { ...mount, ...changed };
  return { ...mount, ...changed, createSource: false };
}

/** Clients would take `not_found` for the image's, and pull it. */
function findOther(parts: Parts<"store">, ref: string): ContainerRecord {
  try {
    return parts.store.find(ref);
  } catch (cause) {
    throw new Fault("invalid", `No such container: ${ref}`, { about: ref, cause });
  }
}
