import { Fault } from "#base";
import type { ImageSummary, DiskUsage as WireUsage } from "#wire";
import { cacheRecord, pruneBuildCache } from "./build-prune.ts";
import { summaryOf as containerSummary, imageNames, listedSizes } from "./container-list.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { summaryOf as imageSummary } from "./images.ts";
import type { Route } from "./router.ts";
import { wireVolume } from "./volumes.ts";

const types = ["container", "image", "volume", "build-cache"] as const;

/** GET /system/df, POST /build/prune. */
export function diskUsageRoutes(context: ApiContext): readonly Route[] {
  return [
    { method: "GET", pattern: "/system/df", handle: (exchange) => diskUsage(context, exchange) },
    {
      method: "POST",
      pattern: "/build/prune",
      handle: (exchange) => pruneBuildCache(context, exchange),
    },
  ];
}

/** Here Docker writes null for a list without members, in every version. */
function usageOf(image: ImageSummary): ImageSummary {
  const orNull = (names: ImageSummary["RepoTags"]) => (names?.length ? names : null);
  return { ...image, RepoDigests: orNull(image.RepoDigests), RepoTags: orNull(image.RepoTags) };
}

async function diskUsage({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const asked = exchange.has("diskUsageType")
    ? exchange.query.all("type").filter((type) => type !== "")
    : [];
  const unknown = asked.find((type) => !types.some((each) => each === type));
  if (unknown !== undefined) throw new Fault("invalid", `unknown object type: ${unknown}`);
  const wants = (type: (typeof types)[number]) => asked.length === 0 || asked.includes(type);
  const usage = await engine.diskUsage();
  const images = await engine.images.list({ all: true, filters: {} });
  const containers = engine.containers.list({ all: true, filters: {} });
  const imageName = imageNames(engine);
  const answer: WireUsage = {
    // Files and blobs alike, as Docker counts them with containerd's image store.
    LayersSize: wants("image") ? usage.layers + usage.blobs.size : 0,
    Images: wants("image")
      ? images.map((image) => usageOf(imageSummary(exchange, image, usage.shared.get(image.id))))
      : null,
    Containers: wants("container")
      ? await Promise.all(
          containers.map(async (each) => ({
            ...containerSummary(each, imageName(each)),
            ...(await listedSizes({ engine }, each)),
          })),
        )
      : null,
    Volumes: wants("volume")
      ? (await engine.volumes.usage()).map(({ volume, bytes, containers }) => ({
          ...wireVolume(volume),
          UsageData: { RefCount: containers, Size: bytes },
        }))
      : null,
    BuildCache: wants("build-cache") ? await buildCache(engine) : null,
    ...(wants("image") && { Reclaimable: usage.reclaimable }),
  };
  exchange.sendJson(200, answer);
}

async function buildCache(engine: ApiContext["engine"]): Promise<WireUsage["BuildCache"]> {
  const builder = await engine.builds.builder();
  return (await builder.usage()).map(cacheRecord);
}
