import { defined, Fault, faultOf } from "#base";
import type { Engine, ImageSummary as EngineSummary, ImageDeletion, ImageDetail } from "#engine";
import type {
  ImageDeleteEntry,
  ImageInspect,
  ImageManifest,
  ImageSummary,
  WireFilters,
} from "#wire";
import type { ApiChange } from "./api-change.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { jsonPlatformOf, removedPlatformOf, requirePlatform } from "./platform-query.ts";
import { repoTag } from "./repo-tag.ts";
import type { Route } from "./router.ts";
import { timeText } from "./time-text.ts";
import { imageInUse, imageOf } from "./wording.ts";

/** The endpoints of /images that answer once; archives are in image-archives. */
export function imageRoutes(context: ApiContext): readonly Route[] {
  const on =
    (handle: (context: ApiContext, exchange: Exchange) => Promise<void>) => (exchange: Exchange) =>
      handle(context, exchange);
  return [
    { method: "GET", pattern: "/images/json", handle: on(list) },
    { method: "POST", pattern: "/images/prune", handle: on(prune) },
    { method: "GET", pattern: "/images/*name/json", handle: on(inspect) },
    { method: "GET", pattern: "/images/*name/history", handle: on(history) },
    { method: "POST", pattern: "/images/*name/tag", handle: on(tag) },
    { method: "DELETE", pattern: "/images/*name", handle: on(remove) },
  ];
}

const filterKeys = ["before", "dangling", "label", "reference", "since", "until"] as const;

async function list({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const filters = listFilters(exchange);
  for (const ref of [...(filters.before ?? []), ...(filters.since ?? [])])
    await imageOf(engine, ref);
  const images = await engine.images.list({ all: query.flag("all"), filters });
  const withShared = exchange.has("sharedSize") && query.flag("shared-size");
  const shared = withShared ? (await engine.diskUsage()).shared : undefined;
  exchange.sendJson(
    200,
    images.map((image) => ({
      ...summaryOf(exchange, image, shared?.get(image.id)),
      ...(!exchange.has("containerCount") && { Containers: -1 }),
    })),
  );
}

/** Before 1.41, `filter` was a pattern for names. */
function listFilters(exchange: Exchange): WireFilters {
  const filters = exchange.query.filters(filterKeys);
  const pattern = exchange.has("referenceFilter") ? undefined : exchange.query.text("filter");
  if (pattern === undefined) return filters;
  return { ...filters, reference: [...(filters.reference ?? []), pattern] };
}

function orNull(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(labels).length > 0 ? labels : null;
}

/** An image as lists show it to the client; `shared` is told where it was asked for. */
export function summaryOf(exchange: Exchange, image: EngineSummary, shared = -1): ImageSummary {
  const isNameless = image.tags.length + image.digests.length === 0;
  const isOld = !exchange.has("emptyNames");
  const listed = (names: readonly string[]) => (names.length === 0 && isOld ? null : names);
  return {
    Containers: image.containers,
    Created: image.created,
    Id: image.id,
    Labels: orNull(image.labels),
    ParentId: image.parent ?? "",
    RepoDigests: isNameless && isOld ? ["<none>@<none>"] : listed(image.digests),
    RepoTags: isNameless && isOld ? ["<none>:<none>"] : listed(image.tags),
    SharedSize: shared,
    Size: image.size,
    ...(!exchange.has("singleSize") && { VirtualSize: image.size }),
  };
}

/** The image that the path names, which must be for the platform of the query where `change` has come. */
async function imageFor(
  engine: Engine,
  exchange: Exchange,
  change: ApiChange,
): Promise<ImageDetail> {
  const ref = exchange.param("name");
  const platform = exchange.has(change) ? jsonPlatformOf(exchange) : undefined;
  const image = await imageOf(engine, ref);
  requirePlatform(platform, ref, image);
  return image;
}

async function inspect({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const hasDescriptor = exchange.has("descriptor");
  const withManifests = hasDescriptor && exchange.query.flag("manifests");
  if (exchange.has("inspectPlatform") && withManifests && exchange.query.text("platform"))
    throw new Fault(
      "invalid",
      "conflicting options: manifests and platform options cannot both be set",
    );
  const image = await imageFor(engine, exchange, "inspectPlatform");
  const detail = detailOf(image);
  exchange.sendJson(200, {
    ...detail,
    ...(!exchange.has("ociConfig") && { Config: { ...containerFields, ...detail.Config } }),
    ...(!exchange.has("noContainerConfig") && {
      ContainerConfig: { ...containerFields, ...emptyConfig },
    }),
    ...(!exchange.has("singleSize") && { VirtualSize: image.size }),
    ...(hasDescriptor && { Descriptor: image.descriptor }),
    ...(withManifests && { Manifests: [manifestOf(image)] }),
  });
}

/** The one manifest of an image that is here, as clients list those of an index. */
function manifestOf(image: ImageDetail): ImageManifest {
  const { architecture, os, variant } = image.config;
  return {
    ID: image.descriptor.digest,
    Descriptor: image.descriptor,
    Available: true,
    Size: { Content: image.contentSize, Total: image.contentSize + image.size },
    Kind: "image",
    ImageData: {
      Platform: { architecture, os, ...defined({ variant }) },
      Containers: [],
      Size: { Unpacked: image.size },
    },
  };
}

/** Docker writes no zeros at the end of a fraction. */
export function shortTime(text: string): string {
  return text
    .replace(/(\.\d*?)0+(?=Z$|[+-]\d\d:\d\d$)/, "$1")
    .replace(/\.(?=Z$|[+-]\d\d:\d\d$)/, "");
}

const emptyConfig = {
  Cmd: null,
  Entrypoint: null,
  Env: null,
  Labels: null,
  OnBuild: null,
  User: "",
  Volumes: null,
  WorkingDir: "",
};

/** What the configuration of an image had in common with that of a container. */
const containerFields = {
  Hostname: "",
  Domainname: "",
  AttachStdin: false,
  AttachStdout: false,
  AttachStderr: false,
  Tty: false,
  OpenStdin: false,
  StdinOnce: false,
  Image: "",
};

function detailOf(image: ImageDetail): ImageInspect {
  const { config } = image;
  const defaults = config.config ?? {};
  return {
    Id: image.id,
    RepoTags: image.tags,
    RepoDigests: image.digests,
    Parent: image.parent ?? "",
    Comment: config.history?.at(-1)?.comment ?? "",
    Created: shortTime(config.created ?? ""),
    DockerVersion: "",
    Author: config.author ?? "",
    Config: { ...emptyConfig, ...defaults },
    Architecture: config.architecture,
    ...defined({ Variant: config.variant || undefined }),
    Os: config.os,
    Size: image.size,
    GraphDriver: graphDriverOf(image.layerDirectories),
    RootFS: { Type: "layers", Layers: config.rootfs.diff_ids },
    Metadata: { LastTagTime: timeText(image.lastTagged ?? 0n) },
  };
}

/** Where the layers are; there is no place where all of them are mounted. */
function graphDriverOf([top, ...below]: readonly string[]): ImageInspect["GraphDriver"] {
  if (top === undefined) return { Data: null, Name: "overlay2" };
  const lower = below.length > 0 && { LowerDir: below.join(":") };
  return { Data: { ...lower, UpperDir: top }, Name: "overlay2" };
}

async function history({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { id } = await imageFor(engine, exchange, "archivePlatform");
  const entries = await engine.images.history(id);
  exchange.sendJson(
    200,
    entries.map((entry) => ({
      Comment: entry.comment,
      Created: entry.created,
      CreatedBy: entry.createdBy,
      Id: entry.id,
      Size: entry.size,
      Tags: entry.tags.length > 0 ? entry.tags : null,
    })),
  );
}

async function tag({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const target = repoTag(exchange.query);
  // As dockerd: without a name there is nothing to do, and nothing is wrong.
  if (target === undefined) return exchange.sendEmpty(200);
  const image = await imageOf(engine, exchange.param("name"));
  await engine.images.tag(image.id, target);
  exchange.sendEmpty(201);
}

async function remove({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const ref = exchange.param("name");
  if (ref.trim() === "") throw new Fault("invalid", "image name cannot be blank");
  const platform = exchange.has("removedPlatforms") ? removedPlatformOf(exchange) : undefined;
  requirePlatform(platform, ref, await imageOf(engine, ref));
  const options = { force: exchange.query.flag("force"), prune: !exchange.query.flag("noprune") };
  let deletions: readonly ImageDeletion[];
  try {
    deletions = await engine.images.remove(ref, options);
  } catch (error) {
    throw imageInUse(ref, faultOf(error));
  }
  exchange.sendJson(200, deletions.map(deletionOf));
}

function deletionOf(deletion: ImageDeletion): ImageDeleteEntry {
  return "untagged" in deletion ? { Untagged: deletion.untagged } : { Deleted: deletion.deleted };
}

async function prune({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const filters = exchange.query.filters(["dangling", "until", "label", "label!"]);
  const { deleted, bytes } = await engine.images.prune(filters);
  exchange.sendJson(200, {
    ImagesDeleted: deleted.length > 0 ? deleted.map(deletionOf) : null,
    SpaceReclaimed: bytes,
  });
}
