import { Fault } from "#base";
import { ociBind } from "./bind-mount.ts";
import type { PlacedImage } from "./image-mount.ts";
import { cleanTarget, leavesRoot, wrongTarget } from "./mount-path.ts";
import type { BindMount, MountBody } from "./mounts.ts";

/** A volume that the container is to see at `target`. */
export interface VolumeMount {
  /** Its name; "" for one of the container's own. */
  readonly volume: string;
  readonly target: string;
  /** The options as they were written behind the second colon of `-v`; "" otherwise. */
  readonly mode: string;
  readonly readonly: boolean;
  /** Fill an empty volume with what the image has at `target`. */
  readonly copy: boolean;
  /** The directory or file in the volume that is mounted; "" for all of it. */
  readonly subpath: string;
  /** For a volume that is made; "" and undefined where nothing was said. */
  readonly driver: string;
  readonly options: Readonly<Record<string, string>> | undefined;
  readonly labels: Readonly<Record<string, string>> | undefined;
}

/** Another container whose mounts are taken over. */
export interface VolumesFrom {
  /** As the user calls it. */
  readonly container: string;
  /** Whether all of them are read-only here. */
  readonly readonly: boolean;
}

/** What create has decided of a mount that needs more than the request: which volume or image it is, or whose bind. */
export type PlacedMount = PlacedVolume | PlacedImage | PlacedBind;

/** A bind of another container. */
export type PlacedBind = BindMount & { readonly volume?: undefined; readonly image?: undefined };

/** A volume of a container that exists. */
export interface PlacedVolume {
  readonly image?: undefined;
  readonly volume: string;
  /** Whether it goes with the container on `rm -v`. */
  readonly anonymous: boolean;
  readonly target: string;
  /** As inspect shows it. */
  readonly mode: string;
  readonly readonly: boolean;
  readonly subpath: string;
}

/** Whether an entry of Binds names a volume rather than a path of the host. */
export function isVolumeMount(mount: BindMount | VolumeMount): mount is VolumeMount {
  return "volume" in mount;
}

/** The volume of `-v NAME:/target[:options]`, in the options' words as they are written there. */
export function volumeOfBind(
  spec: string,
  parts: {
    readonly volume: string;
    readonly target: string;
    readonly mode: string;
    readonly readonly: boolean;
    readonly copy: boolean;
    readonly propagation?: string;
  },
): VolumeMount {
  const { volume, target, mode, readonly, copy, propagation } = parts;
  const refuse = (fault: Fault): never => {
    throw new Fault("invalid", `invalid volume specification: '${spec}': ${fault.message}`, {
      about: spec,
    });
  };
  if (propagation !== undefined) refuse(invalidVolume("field BindOptions must not be specified"));
  const wrong = wrongTarget(target);
  if (wrong) refuse(invalidVolume(wrong));
  const rest = { subpath: "", driver: "", options: undefined, labels: undefined };
  return { volume, target: cleanTarget(target), mode, readonly, copy, ...rest };
}

/** The volume of an entry of Mounts; `invalid` in Docker's words. */
export function volumeOfMount(mount: MountBody): VolumeMount {
  const { Source: volume = "", Target: target = "", ReadOnly, VolumeOptions: options } = mount;
  const wrong =
    target === ""
      ? "field Target must not be empty"
      : (wrongTarget(target ?? "") ??
        (volume ? undefined : wrongAnonymous(mount)) ??
        wrongSubpath(options?.Subpath ?? ""));
  if (wrong) throw invalidVolume(wrong);
  return {
    volume: volume ?? "",
    target: cleanTarget(target ?? ""),
    mode: "",
    readonly: ReadOnly ?? false,
    copy: !options?.NoCopy,
    subpath: options?.Subpath ?? "",
    driver: options?.DriverConfig?.Name ?? "",
    options: options?.DriverConfig?.Options ?? undefined,
    labels: options?.Labels ?? undefined,
  };
}

function wrongAnonymous({ ReadOnly, VolumeOptions }: MountBody): string | undefined {
  if (VolumeOptions?.Subpath) return "must not set Subpath when using anonymous volumes";
  if (ReadOnly) return "must not set ReadOnly mode when using anonymous volumes";
  return undefined;
}

function wrongSubpath(subpath: string): string | undefined {
  return leavesRoot(subpath) ? "subpath must be a relative path within the volume" : undefined;
}

function invalidVolume(why: string): Fault {
  return new Fault("invalid", `invalid mount config for type "volume": ${why}`);
}

/** "CONTAINER[:options]"; `invalid` in Docker's words. */
export function parseVolumesFrom(spec: string): VolumesFrom {
  if (spec === "")
    throw new Fault("invalid", "volumes-from specification cannot be an empty string");
  const colon = spec.indexOf(":");
  const mode = colon < 0 ? "rw" : spec.slice(colon + 1);
  const options = mode.split(",");
  const kinds = options.map((option) => (/^r[ow]$/.test(option) ? "access" : option.toLowerCase()));
  if (
    !options.every((option) => /^(ro|rw|z|Z)$/.test(option)) ||
    new Set(kinds).size < kinds.length
  )
    throw new Fault("invalid", `invalid mode: ${mode}`, { about: mode });
  return {
    container: colon < 0 ? spec : spec.slice(0, colon),
    readonly: options.includes("ro"),
  };
}

/** A volume of a container as the OCI configuration has it; `source` is its place on the host. */
export function ociVolume({ target, readonly }: PlacedVolume, source: string) {
  return ociBind({ source, target, readonly, mode: "", recursive: true, createSource: false });
}
