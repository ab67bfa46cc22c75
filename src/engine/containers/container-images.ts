import { posix } from "node:path";
import { type ContainerId, Fault, isFault, type Scope } from "#base";
import { type ImageMount, ociImage, type PlacedImage } from "#container";
import type { Digest } from "#image";
import { descriptorPath, O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from "#kernel";
import { mountForUs } from "../images/image-mount.ts";
import type { Parts } from "../parts.ts";
import { checkRun } from "../transfer/trust.ts";
import type { ContainerRecord } from "./container-record.ts";

/** Finds the image of a mount. `invalid`, since clients would take `not_found` for the container's own image. */
export function placeImage(parts: Parts<"content" | "trust">, mount: ImageMount): PlacedImage {
  const { image: name } = mount;
  try {
    const image = parts.content.resolve(name);
    checkRun(parts, name, image);
    return { ...mount, id: image.id, ...(image.chainId && { chainId: image.chainId }) };
  } catch (cause) {
    if (!isFault(cause, "not_found")) throw cause;
    const message = `invalid mount config for type "image": ${cause.message}`;
    throw new Fault("invalid", message, { about: name, cause });
  }
}

/** The images among the mounts. */
export function placedImages({ placed }: Pick<ContainerRecord, "placed">): readonly PlacedImage[] {
  return placed.filter((mount): mount is PlacedImage => mount.image !== undefined);
}

/** Whether a container was made of an image, or has it mounted. */
export function usesImage(record: ContainerRecord, image: Digest): boolean {
  return record.imageId === image || placedImages(record).some(({ id }) => id === image);
}

/** All images that containers were made of or have mounted. */
export function usedImages(parts: Parts<"store">): ReadonlySet<Digest> {
  const used = new Set<Digest>();
  for (const record of parts.store.all()) {
    used.add(record.imageId);
    for (const { id } of placedImages(record)) used.add(id);
  }
  return used;
}

/** The key of the view that keeps the layers of a container's mount, even when the image goes. */
const viewKey = (id: ContainerId, index: number) => `${id}-mount-${index}`;

/** The container that a view is kept for; undefined for other snapshots. */
export function viewOwner(key: string): string | undefined {
  return /^([0-9a-f]{64})-mount-\d+$/.exec(key)?.[1];
}

/** Keeps the layers of the images for a container that is made; the scope lets them go. */
export async function keepImages(
  parts: Parts<"snapshots">,
  record: Pick<ContainerRecord, "id" | "placed">,
  scope: Scope,
): Promise<void> {
  for (const [index, { chainId }] of placedImages(record).entries()) {
    if (chainId === undefined) continue;
    const key = viewKey(record.id, index);
    await parts.snapshots.view(key, chainId);
    scope.defer(() => parts.snapshots.remove(key));
  }
}

/** Lets go of what `keepImages` keeps. */
export async function dropImages(
  parts: Parts<"snapshots">,
  record: Pick<ContainerRecord, "id" | "placed">,
): Promise<void> {
  for (const index of placedImages(record).keys()) {
    const key = viewKey(record.id, index);
    if (parts.snapshots.stat(key)) await parts.snapshots.remove(key);
  }
}

/** An image without layers is an empty directory. */
const nothing = { type: "tmpfs", source: "tmpfs", options: ["ro", "size=4k", "mode=755"] };

/** The mount of an image as the OCI configuration has it; `source`: the place of a part. */
export function imageMount(
  parts: Parts<"snapshots">,
  { chainId, target, subpath }: PlacedImage,
  source: string | undefined,
) {
  if (subpath !== "") return ociImage(target, { source: source ?? "/" });
  if (chainId === undefined) return ociImage(target, nothing);
  const [mount = nothing] = parts.snapshots.plannedView(chainId);
  return ociImage(target, mount);
}

/**
 * Looks parts of images up, as a start will; their files on the host, by target, which stand for
 * them in a plan. `invalid` for one that is not there.
 */
export async function findImageParts(
  parts: Parts<"snapshots">,
  record: Pick<ContainerRecord, "placed">,
): Promise<ReadonlyMap<string, string>> {
  const found = new Map<string, string>();
  for (const mount of placedImages(record)) {
    const { chainId, subpath, target } = mount;
    if (subpath === "") continue;
    const file = chainId && (await parts.snapshots.find(chainId, subpath));
    if (!file) throw partFault(mount, "no such file or directory in the image");
    found.set(target, file.hostPath);
  }
  return found;
}

/** Mounts the image for the engine, to open the part in it; both are there until `opened` is disposed. */
export async function openImagePart(
  parts: Parts<"paths" | "snapshots">,
  mount: PlacedImage,
  opened: Scope,
): Promise<string> {
  const mounts = mount.chainId === undefined ? [] : parts.snapshots.plannedView(mount.chainId);
  const { root } = opened.use(await mountForUs(parts, mounts));
  try {
    const resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return descriptorPath(opened.use(openat2(root, mount.subpath, { flags: O_PATH, resolve })));
  } catch (cause) {
    if (!isFault(cause)) throw cause;
    throw partFault(mount, cause.message);
  }
}

function partFault({ image, subpath }: PlacedImage, why: string): Fault {
  const message = `cannot access path ${posix.join("/", subpath)} of image ${image}: ${why}`;
  return new Fault("invalid", message, { about: subpath });
}
