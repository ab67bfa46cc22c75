import { posix } from "node:path";
import { Fault } from "#base";
import type { ChainId, Digest } from "#image";
import type { Mount } from "#kernel";
import type { OciMount } from "#runtime";
import { cleanTarget, leavesRoot } from "./mount-path.ts";
import type { MountBody } from "./mounts.ts";

/** An image whose files the container is to see at `target`, read-only. */
export interface ImageMount {
  /** As the user calls it. */
  readonly image: string;
  readonly target: string;
  /** The directory or file in the image that is mounted; "" for all of it. */
  readonly subpath: string;
}

/** The image at a path of a container that exists. */
export interface PlacedImage extends ImageMount {
  readonly volume?: undefined;
  readonly id: Digest;
  /** Its uppermost layer; absent for an image without layers. */
  readonly chainId?: ChainId;
}

/** The image of an entry of Mounts; `invalid` in Docker's words. */
export function imageOfMount({ Source, Target, ImageOptions }: MountBody): ImageMount {
  const refuse = (why: string): never => {
    throw new Fault("invalid", `invalid mount config for type "image": ${why}`);
  };
  const target = Target ?? "";
  const subpath = ImageOptions?.Subpath ?? "";
  if (target === "") refuse("field Target must not be empty");
  if (!Source) return refuse("field Source must not be empty");
  if (!posix.isAbsolute(target))
    refuse(`invalid mount path: '${target}' mount path must be absolute`);
  if (cleanTarget(target) === "/") refuse("invalid specification: destination can't be '/'");
  if (leavesRoot(subpath)) refuse("subpath must be a relative path within the volume");
  return { image: Source, target: cleanTarget(target), subpath };
}

/** A mount that shows a whole image, or a part that is open at `source`, as the OCI configuration has it. */
export function ociImage(target: string, shown: Mount | { readonly source: string }): OciMount {
  const destination = target;
  if ("type" in shown) {
    const { type, source, options } = shown;
    return { destination, type, source, options: [...options] };
  }
  return { destination, type: "bind", source: shown.source, options: ["bind", "ro", "rprivate"] };
}
