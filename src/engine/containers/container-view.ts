import { defined } from "#base";
import type { PlacedVolume } from "#container";
import type { Container, ShownMount } from "../contract.ts";
import { execIdsOf } from "../execs/exec.ts";
import { linksOf } from "../networks/links.ts";
import { namesOf } from "../networks/names.ts";
import type { Parts } from "../parts.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";
import { networksOf } from "./sandbox.ts";

/** A record as callers see it. */
export function viewContainer(
  parts: Parts<
    | "paths"
    | "volumes"
    | "networks"
    | "sandboxes"
    | "ports"
    | "execs"
    | "removing"
    | "store"
    | "health"
    | "logShipping"
  >,
  record: ContainerRecord,
): Container {
  const { id, name, imageId, createdAt, owner, sent, config, host, argv, restartCount } = record;
  const { root, files } = record;
  const options = (key: string) =>
    root.options
      .filter((option) => option.startsWith(`${key}=`))
      .map((option) => option.slice(key.length + 1));
  return {
    id,
    name,
    imageId,
    createdAt,
    owner,
    sent,
    config,
    host,
    argv,
    restartCount,
    ...defined({ health: parts.health.of(id), logShipping: parts.logShipping.stateOf(record) }),
    placed: record.placed.map((mount) =>
      mount.volume === undefined ? mount : viewVolume(parts, mount),
    ),
    state: parts.removing.has(id) ? { ...record.state, status: "removing" } : record.state,
    ...networkPartOf(parts, record),
    links: linksOf(parts, record),
    ports: isUp(record.state) ? parts.ports.of(id) : [],
    paths: {
      hostname: files.hostname,
      hosts: files.hosts,
      resolvConf: files.resolvConf,
      // Docker's driver local has a file of its own as well, and does not name it.
      log: host.LogConfig.Type === "json-file" ? parts.paths.log(id) : "",
      lowerDirectories: [...options("lowerdir+"), ...options("lowerdir").flatMap(splitColons)],
      upperDirectory: options("upperdir")[0] ?? "",
      workDirectory: options("workdir")[0] ?? "",
    },
    execIds: execIdsOf(parts, id),
  };
}

/** Docker's label for SELinux is for its own driver alone. */
function viewVolume(parts: Parts<"volumes">, mount: PlacedVolume): ShownMount {
  const driver = parts.volumes.find(mount.volume)?.driver ?? "local";
  const mode = driver !== "local" && mount.mode === "z" ? "" : mount.mode;
  return { ...mount, mode, driver, source: parts.volumes.pathOf(mount.volume) };
}

function networkPartOf(
  parts: Parts<"networks" | "sandboxes">,
  record: ContainerRecord,
): Pick<Container, "networks" | "bridge" | "sandboxId"> {
  const sandbox = parts.sandboxes.get(record.id);
  const networks = networksOf(parts, record).map((each) => ({
    ...each,
    names: namesOf(record, each),
  }));
  const wasInDefault = networks.some((each) => each.network === "bridge" && each.networkId !== "");
  const isOwn = sandbox && sandbox.mode.kind !== "container" && isUp(record.state);
  return {
    networks,
    ...defined({
      bridge: wasInDefault ? parts.networks.find("bridge").bridge : undefined,
      sandboxId: isOwn ? sandbox.id : undefined,
    }),
  };
}

function splitColons(list: string): readonly string[] {
  return list.split(":");
}
