import type { Platform } from "#image";
import type { WorkerRecord } from "../protobuf/control-messages.ts";
import type { Input } from "../protobuf/message.ts";

/** What BuildKit's clients are told of the engine: a worker with these platforms. */
export function workerRecord(engine: {
  readonly id: string;
  readonly version: string;
  readonly platforms: readonly Platform[];
  readonly hostGateway: string | undefined;
}): Input<typeof WorkerRecord> {
  return {
    id: engine.id,
    labels: [
      // By this buildx knows that the engine stores indexes, and makes archives of images.
      ["org.mobyproject.buildkit.worker.snapshotter", "overlayfs"],
      ["org.mobyproject.buildkit.worker.executor", "thimble"],
      // The client itself puts the address in the place of "host-gateway".
      ...(engine.hostGateway === undefined
        ? []
        : [["org.mobyproject.buildkit.worker.moby.host-gateway-ip", engine.hostGateway] as const]),
    ],
    platforms: engine.platforms.map(({ os, architecture, variant = "" }) => ({
      ...{ os, architecture, variant },
    })),
    buildkitVersion: buildkitVersion(engine.version),
  };
}

/** The protocol's version by its capabilities, as dockerd says it: a version that no release has. */
export function buildkitVersion(version: string) {
  return {
    package: "github.com/moby/buildkit",
    version: `v0.0.0+thimble-${version}`,
    revision: "",
  };
}

const enabled = (ids: string) => ids.split(" ").map((id) => ({ id, enabled: true }));

/** What clients may ask of the gateway (frontend/gateway/pb/caps.go of moby/buildkit). */
export const gatewayCapabilities = enabled(
  "frontend.caps frontend.inputs gateway.evaluate gateway.exec gateway.exec.signals gateway.solve.evaluate gateway.solve.metadata gateway.warnings importcaches proto.refarray readdir readfile reference.output resolveimage resolveimage.resolvemode return returnmap solve.base solve.inlinereturn source.metaresolver statfile",
);

/** What results and outputs can be (solver/pb/caps.go of moby/buildkit). */
export const solverCapabilities = enabled(
  "constraints exporter.image.annotations exporter.image.attestations exporter.multiple exporter.sourcedateepoch gc.freespacefilter history.filter meta.description meta.exportcache meta.ignorecache platform source.local source.local.excludepatterns source.local.followpaths source.local.includepatterns source.local.sessionid source.local.sharedkeyhint source.local.unique source.image source.image.resolvemode source.image.checksum source.http source.http.checksum source.git source.git.fullurl source.git.keepgitdir source.git.subdir source.ocilayout exec.meta.base exec.meta.cgroup.parent exec.meta.network exec.meta.proxyenv exec.meta.security exec.meta.setsdefaultpath exec.meta.ulimit exec.mount.bind exec.mount.bind.readwrite-nooutput exec.mount.cache exec.mount.cache.sharing exec.mount.secret exec.mount.selector exec.mount.ssh exec.mount.tmpfs exec.mount.tmpfs.size exec.secretenv file.base",
);
