import { backupRoutes } from "./backups.ts";
import { buildkitRoutes } from "./buildkit.ts";
import { buildRoutes } from "./builds.ts";
import { commitRoutes } from "./commit.ts";
import { containerArchiveRoutes } from "./container-archive.ts";
import { containerChangeRoutes } from "./container-changes.ts";
import { containerStreamRoutes } from "./container-streams.ts";
import { containerRoutes } from "./containers.ts";
import type { ApiContext } from "./context.ts";
import { debugRoutes } from "./debug.ts";
import { diagnosisRoutes } from "./diagnosis.ts";
import { diskUsageRoutes } from "./disk-usage.ts";
import { eventRoutes } from "./events.ts";
import { execRoutes } from "./exec.ts";
import { explainRoutes } from "./explain.ts";
import { imageArchiveRoutes } from "./image-archives.ts";
import { imageRoutes } from "./images.ts";
import { networkExplainRoutes } from "./network-explain.ts";
import { networkFaultRoutes } from "./network-fault.ts";
import { networkRoutes } from "./networks.ts";
import { notYetRoutes } from "./not-yet.ts";
import { pluginRoutes } from "./plugins.ts";
import { profileRoutes } from "./profile.ts";
import { registryRoutes } from "./registries.ts";
import type { Route } from "./router.ts";
import { runRoutes } from "./run.ts";
import { statsRoutes } from "./stats.ts";
import { swarmRoutes } from "./swarm.ts";
import { systemRoutes } from "./system.ts";
import { thimbleRoutes } from "./thimble.ts";
import { thimbleBuildRoutes } from "./thimble-builds.ts";
import { volumeRoutes } from "./volumes.ts";

/** Every endpoint. Archives come before images: "/images/get" is not an image. */
export function routes(context: ApiContext): readonly Route[] {
  return [
    ...systemRoutes(context),
    ...containerRoutes(context),
    ...containerStreamRoutes(context),
    ...containerArchiveRoutes(context),
    ...statsRoutes(context),
    ...containerChangeRoutes(context),
    ...diagnosisRoutes(context),
    ...runRoutes(context),
    ...debugRoutes(context),
    ...execRoutes(context),
    ...commitRoutes(context),
    ...buildRoutes(context),
    ...diskUsageRoutes(context),
    ...registryRoutes(context),
    ...imageArchiveRoutes(context),
    ...imageRoutes(context),
    ...networkRoutes(context),
    ...networkFaultRoutes(context),
    ...eventRoutes(context),
    ...volumeRoutes(context),
    ...backupRoutes(context),
    ...thimbleRoutes(context),
    ...thimbleBuildRoutes(context),
    ...profileRoutes(),
    ...networkExplainRoutes(context),
    ...explainRoutes(context),
    ...pluginRoutes(),
    ...buildkitRoutes(context),
    ...swarmRoutes(),
    ...notYetRoutes(),
  ];
}
