import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { type ContainerId, defined, Fault, faultOf, newId, Scope } from "#base";
import { checkSent, describeContainer, endpointsOf, isMac, type Sent } from "#container";
import { chainIds, hostPlatform, parseDigest, parsePlatform, platformDistance } from "#image";
import type { Mount } from "#kernel";
import type { Containers, CreateRequest } from "../contract.ts";
import { crashPoint } from "../crash-point.ts";
import { checkEndpoint } from "../networks/endpoint-check.ts";
import { resolveLinks } from "../networks/links.ts";
import type { NetworkDescription } from "../networks/network-contract.ts";
import type { Parts } from "../parts.ts";
import { withDefaults } from "../settings.ts";
import { Trace } from "../trace.ts";
import { checkRun } from "../transfer/trust.ts";
import { publishVolume } from "../volumes/volume-event.ts";
import { bindOwners, makeBindSources } from "./bind-owners.ts";
import { publishContainer } from "./container-event.ts";
import { findImageParts, keepImages } from "./container-images.ts";
import type { ContainerRecord } from "./container-record.ts";
import { claimVolumes, fillVolumes } from "./container-volumes.ts";
import { createWarnings } from "./create-warnings.ts";
import { findJoined, joinedContainer, joinsContainer } from "./joined-container.ts";
import { makeUpName, parseName } from "./name.ts";
import { type Placement, placeMounts } from "./place-mounts.ts";
import type { PlannedStart } from "./planned-starts.ts";
import { rootLimit } from "./root-limit.ts";
import { plannedTask, type RunInput } from "./task-input.ts";
import type { ResolvedUser } from "./user.ts";
import { lookupUser } from "./user-lookup.ts";

type PlanParts = Parts<
  | "volumes"
  | "paths"
  | "clock"
  | "cpus"
  | "tasks"
  | "snapshots"
  | "content"
  | "trust"
  | "store"
  | "networks"
  | "settings"
>;

/** The parts that a creation touches; containers that run are not among them. */
export type CreateParts = PlanParts & Parts<"log" | "events" | "plannedStarts">;

/**
 * Creates a container: everything is checked before anything is made, then come the
 * snapshot, the directory and last the row, which makes it exist.
 */
export async function createContainer(
  parts: CreateParts,
  request: CreateRequest,
): ReturnType<Containers["create"]> {
  const trace = new Trace();
  const { draft, placement } = draftRecord(parts, request, (name) => imageOf(parts, name, request));
  using _name = parts.store.reserve(draft.name, draft.id);
  // The very plan of a start, so that all that is wrong with it shows here.
  // A user that the image does not have is told at the start, as in Docker.
  const user = await draftUser(parts, draft).catch(() => root);
  const start = planDraft(parts, draft, await draftRun(parts, draft, user));
  trace.mark("checked");
  const { id } = draft;
  await using volumes = await claimVolumes(parts, id, placement);
  await using scope = new Scope();
  makeBindSources(draft);
  const mount = await prepareRoot(parts, draft, scope);
  await keepImages(parts, draft, scope);
  trace.mark("snapshot");
  crashPoint("create:snapshot-prepared");
  await fillVolumes(parts, draft, placement);
  const directory = parts.paths.container(id);
  scope.defer(() => rm(directory, { recursive: true, force: true }));
  mkdirSync(directory, { mode: 0o700 });
  crashPoint("create:directory-made");
  const record = { ...draft, root: mount };
  parts.store.insert(record, () => parts.volumes.keep(volumes.names));
  scope.release();
  if (isDeepStrictEqual(mount, start.input.root)) parts.plannedStarts.put(record, user, start);
  crashPoint("create:recorded");
  for (const { name, driver } of volumes.made) publishVolume(parts, "create", name, { driver });
  publishContainer(parts, record, "create");
  trace.mark("recorded");
  trace.write(parts.log, `create ${id.slice(0, 12)}`);
  return { id, warnings: createWarnings(record, parts.tasks.machine) };
}

/** The launch plan that a start would send, as bytes; nothing is made for it. */
export async function planContainer(parts: PlanParts, request: CreateRequest): Promise<Uint8Array> {
  const { draft } = draftRecord(parts, request, (name) => imageOf(parts, name, request));
  const user = await draftUser(parts, draft);
  return planDraft(parts, draft, await draftRun(parts, draft, user)).planned.plan;
}

/** The facts of a start that tell the same before there is a container. */
async function draftRun(
  parts: Parts<"snapshots">,
  draft: ContainerRecord,
  user: ResolvedUser,
): Promise<Omit<RunInput, "joined">> {
  const sources = await findImageParts(parts, draft);
  return { user, sources, owners: await bindOwners(parts, draft, { key: draft.chainId, user }) };
}

/**
 * Plans a container without an image and forgets it: what runs through the code of a plan some
 * dozen times before a user waits for it has it compiled by then.
 */
export function rehearsePlan(parts: PlanParts, request: CreateRequest): void {
  const { draft } = draftRecord(parts, request, () => noImage);
  planDraft(parts, draft, { user: root });
}

/** The user as the image's files have it; rejects where they do not. */
async function draftUser(
  parts: Parts<"snapshots">,
  { chainId, config, host }: ContainerRecord,
): Promise<ResolvedUser> {
  if (chainId === undefined) return root;
  return await lookupUser(parts.snapshots, chainId, {
    user: config.User,
    groupAdd: host.GroupAdd,
  });
}

/** Stands in for a user that the image does not have, or that only the files of a container without an image can tell. */
const root: ResolvedUser = { uid: 0, gid: 0, additionalGids: [], home: "/root" };

const neverStarted: ContainerRecord["state"] = {
  status: "created",
  pid: 0,
  exitCode: 0,
  error: "",
  oomKilled: false,
  startedAt: 0n,
  finishedAt: 0n,
};

type DraftImage = Pick<ContainerRecord, "imageId" | "chainId" | "imageDefaults">;

const noImage: DraftImage = { imageId: parseDigest(`sha256:${"0".repeat(64)}`), imageDefaults: {} };

/** The image that is asked for, if it is for this machine and may be run. */
function imageOf(
  parts: Parts<"content" | "trust">,
  name: string,
  { platform }: Pick<CreateRequest, "platform">,
): DraftImage {
  const image = parts.content.resolve(name);
  checkRun(parts, name, image);
  checkPlatform(name, platform, image.config);
  const chainId = chainIds(image.config.rootfs.diff_ids).at(-1);
  return { imageId: image.id, ...defined({ chainId }), imageDefaults: image.config.config ?? {} };
}

/** Checks the request as far as it needs no launch plan, and resolves names in it. */
function draftRecord(
  parts: Parts<
    "clock" | "cpus" | "tasks" | "content" | "trust" | "store" | "networks" | "settings"
  >,
  request: CreateRequest,
  findImage: (name: string) => DraftImage,
): { readonly draft: ContainerRecord; readonly placement: Placement } {
  const id = newId<ContainerId>();
  const name =
    request.name === undefined
      ? makeUpName((each) => parts.store.isTaken(each))
      : parseName(request.name);
  const requested = withDefaults(request.sent, parts.settings.current);
  const { config: asked } = checkSent(requested, parts);
  const image = findImage(asked.Image);
  const sent = resolveModes(parts, requested);
  checkNetworks(parts, sent);
  const described = describeContainer(sent, image.imageDefaults);
  const placement = placeMounts(parts, { ...described, owner: request.owner });
  const draft: ContainerRecord = {
    id,
    name,
    ...image,
    createdAt: parts.clock.now(),
    owner: request.owner,
    sent,
    ...described,
    placed: placement.placed,
    root: { type: "", source: "", options: [] },
    state: neverStarted,
    starting: false,
    startTime: 0n,
    restartCount: 0,
    endedUnhealthy: false,
    stoppedByUser: false,
    files: { hostname: "", hosts: "", resolvConf: "" },
  };
  return { draft, placement };
}

function checkPlatform(
  name: string,
  platform: string | undefined,
  image: { readonly os: string; readonly architecture: string; readonly variant?: string },
): void {
  const wanted = platform === undefined ? hostPlatform() : parsePlatform(platform);
  if (platformDistance(wanted, image) !== undefined) return;
  const offered = `${image.os}/${image.architecture}`;
  if (platform === undefined) {
    throw new Fault("invalid", `image ${name} is for ${offered} and cannot run on this machine`, {
      about: name,
    });
  }
  throw new Fault(
    "not_found",
    `image with reference ${name} was found but its platform (${offered}) does not match the specified platform (${platform})`,
    { about: name },
  );
}

/** Networks that are missing are told at the start, as in Docker. */
function checkNetworks(parts: Parts<"networks">, { Config, HostConfig, NetworkingConfig }: Sent) {
  const mac = Config.MacAddress ?? "";
  const asked = endpointsOf(HostConfig.NetworkMode ?? "", NetworkingConfig);
  const [main] = asked;
  if (mac !== "" && !isMac(mac))
    throw new Fault(
      "invalid",
      `invalid config for network ${main?.[0] || "bridge"}: invalid MAC address ${mac}`,
      { about: mac },
    );
  if (mac !== "" && main?.[1].MacAddress && main[1].MacAddress !== mac)
    throw new Fault(
      "invalid",
      "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
    );
  for (const [ref, settings] of asked) {
    const network = foundNetwork(parts, ref);
    try {
      if (network) checkEndpoint(network, settings);
    } catch (error) {
      const cause = faultOf(error);
      const message = `invalid config for network ${ref}: ${cause.message}`;
      throw new Fault(cause.code, message, { cause });
    }
  }
}

/** The id of a network that the beginning of one names; any other text as it is. */
function wholeId(parts: Parts<"networks">, ref: string): string {
  if (!/^[0-9a-f]{1,63}$/.test(ref)) return ref;
  const network = foundNetwork(parts, ref);
  return network === undefined || network.name === ref ? ref : network.id;
}

/** A network that is missing or not told from others is not the create's to refuse. */
function foundNetwork(parts: Parts<"networks">, ref: string): NetworkDescription | undefined {
  try {
    return parts.networks.find(ref);
  } catch {
    return undefined;
  }
}

/** Ids in the place of a container's name, so that a rename does no harm, and of the beginning of a network's id. */
function resolveModes(parts: Parts<"tasks" | "store" | "networks">, sent: Sent): Sent {
  const { HostConfig, NetworkingConfig } = sent;
  const resolve = (mode: string | null | undefined) =>
    mode && joinsContainer(mode) ? `container:${joinedContainer(parts, mode).id}` : mode;
  const networkMode = resolveNetworkMode(parts, HostConfig.NetworkMode);
  const links = resolveLinks(parts, sent);
  const endpoints = NetworkingConfig?.EndpointsConfig;
  return {
    ...sent,
    ...(endpoints && {
      NetworkingConfig: {
        EndpointsConfig: Object.fromEntries(
          Object.entries(endpoints).map(([ref, settings]) => [wholeId(parts, ref), settings]),
        ),
      },
    }),
    HostConfig: {
      ...HostConfig,
      NetworkMode: networkMode && wholeId(parts, networkMode),
      PidMode: resolve(HostConfig.PidMode),
      IpcMode: resolve(HostConfig.IpcMode),
      Links: links && [...links],
      // As in Docker: private by default on version 2 alone.
      CgroupnsMode:
        HostConfig.CgroupnsMode || (parts.tasks.machine.cgroupVersion === 1 ? "host" : "private"),
    },
  };
}

/** One that is missing, or is the container itself, is told at the start, as in Docker. */
function resolveNetworkMode(parts: Parts<"store">, mode: string | null | undefined) {
  const other = mode && joinsContainer(mode) ? findJoined(parts, mode) : undefined;
  return other ? `container:${other.id}` : mode;
}

/** The container as a start would have it; its root is the image's layers under a directory that create will make. */
function planDraft(
  parts: Parts<"paths" | "tasks" | "snapshots" | "store" | "volumes">,
  draft: ContainerRecord,
  run: Omit<RunInput, "joined">,
): PlannedStart {
  const { chainId, host } = draft;
  const root = onlyMount(parts.snapshots.planned(chainId, { volatile: host.AutoRemove }), draft.id);
  return plannedTask(parts, { ...draft, root }, run);
}

/** The container's own layer over its image's; `volatile` where a power cut takes the container anyway. */
async function prepareRoot(
  parts: Parts<"snapshots">,
  draft: ContainerRecord,
  scope: Scope,
): Promise<Mount> {
  const { id, chainId, host } = draft;
  const limit = rootLimit(parts, host.StorageOpt);
  await parts.snapshots.prepare(id, chainId, { volatile: host.AutoRemove, limit });
  scope.defer(() => parts.snapshots.remove(id));
  return onlyMount(await parts.snapshots.mounts(id), id);
}

function onlyMount([mount, ...more]: readonly Mount[], id: ContainerId): Mount {
  if (mount && more.length === 0) return mount;
  throw new Fault("internal", `the snapshot of container ${id} is not one mount`);
}
