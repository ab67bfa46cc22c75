import { Fault } from "#base";
import { type ContainerCreateBody, type MountBody, networkModeOf } from "#container";
import type { ApiChange } from "./api-change.ts";
import type { Exchange } from "./exchange.ts";

/** What a create request means where a change of the API has not come yet; in Docker's order of checks. */
const older: readonly (readonly [ApiChange, (body: ContainerCreateBody) => ContainerCreateBody])[] =
  [
    ["autoRemove", (body) => withHost(body, { AutoRemove: false })],
    ["privateIpc", sharedIpc],
    ["consoleSize", (body) => withHost(body, { ConsoleSize: [0, 0] })],
    ["mountOptions", plainMounts],
    ["annotations", (body) => withHost(body, { Annotations: null })],
    ["endpointMac", oneNetwork],
    ["volumeSubpath", withoutSubpaths],
    ["imageMounts", withoutImages],
    ["endpointMac", containerMac],
  ];

/**
 * A create request of an older version in the terms of the newest one, with that version's
 * defaults. `invalid`, in Docker's words, for what the version does not have yet.
 */
export function currentBody(
  exchange: Pick<Exchange, "has">,
  sent: ContainerCreateBody,
): ContainerCreateBody {
  let body = exchange.has("noKernelMemory") ? withoutKernelMemory(sent) : sent;
  for (const [change, apply] of older) if (!exchange.has(change)) body = apply(body);
  return body;
}

function withHost(
  body: ContainerCreateBody,
  changes: NonNullable<ContainerCreateBody["HostConfig"]>,
): ContainerCreateBody {
  return { ...body, HostConfig: { ...body.HostConfig, ...changes } };
}

function mountsOf({ HostConfig }: ContainerCreateBody): readonly MountBody[] {
  return HostConfig?.Mounts ?? [];
}

function withMounts(
  body: ContainerCreateBody,
  change: (mount: MountBody) => MountBody,
): ContainerCreateBody {
  const mounts = mountsOf(body);
  return mounts.length === 0 ? body : withHost(body, { Mounts: mounts.map(change) });
}

/** The change of the options of bind mounts. */
function withBindOptions(
  body: ContainerCreateBody,
  change: NonNullable<MountBody["BindOptions"]>,
): ContainerCreateBody {
  return withMounts(body, (mount) =>
    mount.Type === "bind" ? { ...mount, BindOptions: { ...mount.BindOptions, ...change } } : mount,
  );
}

function withoutKernelMemory(body: ContainerCreateBody): ContainerCreateBody {
  return body.HostConfig?.KernelMemory ? withHost(body, { KernelMemory: null }) : body;
}

function sharedIpc(body: ContainerCreateBody): ContainerCreateBody {
  const changed = withHost(body, {
    IpcMode: body.HostConfig?.IpcMode || "shareable",
    KernelMemoryTCP: null,
  });
  return withBindOptions(changed, { NonRecursive: false });
}

/** Options of another type of mount were not looked at. */
function plainMounts(body: ContainerCreateBody): ContainerCreateBody {
  const changed = withMounts(body, (mount) => ({
    ...mount,
    VolumeOptions: mount.Type === "volume" ? mount.VolumeOptions : null,
    TmpfsOptions: mount.Type === "tmpfs" ? mount.TmpfsOptions : null,
  }));
  return withBindOptions(changed, { CreateMountpoint: false });
}

function oneNetwork(body: ContainerCreateBody): ContainerCreateBody {
  if (
    mountsOf(body).some(
      ({ Type, BindOptions }) => Type === "bind" && BindOptions?.ReadOnlyForceRecursive,
    )
  )
    throw new Fault("invalid", "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer");
  const networks = Object.keys(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (networks.length > 1)
    throw new Fault(
      "invalid",
      `Container cannot be created with multiple network endpoints: ${networks.join(", ")}`,
    );
  const { Healthcheck } = body;
  const changed = Healthcheck
    ? { ...body, Healthcheck: { ...Healthcheck, StartInterval: 0 } }
    : body;
  return changed;
}

function withoutSubpaths(body: ContainerCreateBody): ContainerCreateBody {
  if (mountsOf(body).some(({ VolumeOptions }) => VolumeOptions?.Subpath))
    throw new Fault("invalid", "VolumeOptions.Subpath needs API v1.45 or newer");
  return body;
}

function withoutImages(body: ContainerCreateBody): ContainerCreateBody {
  if (mountsOf(body).some(({ Type }) => Type === "image"))
    throw new Fault("invalid", 'Mount type "Image" needs API v1.48 or newer');
  return withEndpoints(body, { GwPriority: 0 });
}

/** An address of the container as a whole is that of its network; one of a network was not looked at. */
function containerMac(body: ContainerCreateBody): ContainerCreateBody {
  if (!body.MacAddress) return withEndpoints(body, { MacAddress: "" });
  const { kind } = networkModeOf({ NetworkMode: body.HostConfig?.NetworkMode || "default" });
  if (kind === "bridge") return withEndpoints(body, { MacAddress: body.MacAddress });
  throw new Fault("invalid", "conflicting options: mac-address and the network mode");
}

function withEndpoints(
  body: ContainerCreateBody,
  change: { readonly GwPriority?: number; readonly MacAddress?: string },
): ContainerCreateBody {
  const endpoints = Object.entries(body.NetworkingConfig?.EndpointsConfig ?? {});
  if (endpoints.length === 0) return body;
  const EndpointsConfig = Object.fromEntries(
    endpoints.map(([name, settings]) => [name, settings && { ...settings, ...change }]),
  );
  return { ...body, NetworkingConfig: { ...body.NetworkingConfig, EndpointsConfig } };
}
