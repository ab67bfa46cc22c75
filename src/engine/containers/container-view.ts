import { defined } from "#base";
import type { PlacedVolume } from "#container";
import type { PublishedPort } from "#network";
import type { Container, Health, ListedContainer, ShownMount } from "../contract.ts";
import { execIdsOf } from "../execs/exec.ts";
import { linksOf } from "../networks/links.ts";
import { namesOf } from "../networks/names.ts";
import type { Parts } from "../parts.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";
import { networksOf } from "./sandbox.ts";
import type { StoredSandbox } from "./sandbox-store.ts";

type ListedParts = Parts<"volumes" | "networks" | "sandboxes" | "ports" | "removing" | "health">;

/** A record as callers see it. */
export function viewContainer(
  parts: ListedParts & Parts<"paths" | "execs" | "store" | "logShipping">,
  record: ContainerRecord,
): Container {
  const { id, host, root, files } = record;
  const options = (key: string) =>
    root.options
      .filter((option) => option.startsWith(`${key}=`))
      .map((option) => option.slice(key.length + 1));
  return {
    ...viewListed(parts, record),
    ...defined({ logShipping: parts.logShipping.stateOf(record) }),
    links: linksOf(parts, record),
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

/** All that a view is made of beside its record, which is replaced as a whole when it changes. */
interface Inputs {
  readonly sandbox: StoredSandbox | undefined;
  readonly health: Health | undefined;
  readonly isRemoving: boolean;
  readonly ports: readonly PublishedPort[];
}

const noPorts: readonly PublishedPort[] = [];

const views = new WeakMap<
  ContainerRecord,
  { readonly inputs: Inputs; readonly view: ListedContainer }
>();

/** As lists show it; of a thousand containers few have changed since the last list. */
export function viewListed(parts: ListedParts, record: ContainerRecord): ListedContainer {
  const { id } = record;
  const inputs: Inputs = {
    sandbox: parts.sandboxes.get(id),
    health: parts.health.of(id),
    isRemoving: parts.removing.has(id),
    ports: isUp(record.state) ? parts.ports.of(id) : noPorts,
  };
  const known = views.get(record);
  if (known && areSame(known.inputs, inputs)) return known.view;
  const view = makeListed(parts, record, inputs);
  views.set(record, { inputs, view });
  return view;
}

function areSame(one: Inputs, other: Inputs): boolean {
  return (
    one.sandbox === other.sandbox &&
    one.health === other.health &&
    one.isRemoving === other.isRemoving &&
    (one.ports === other.ports || Bun.deepEquals(one.ports, other.ports))
  );
}

function makeListed(
  parts: ListedParts,
  record: ContainerRecord,
  { sandbox, health, isRemoving, ports }: Inputs,
): ListedContainer {
  const { id, name, imageId, createdAt, owner, sent, config, host, argv, restartCount } = record;
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
    ...defined({ health }),
    placed: record.placed.map((mount) =>
      mount.volume === undefined ? mount : viewVolume(parts, mount),
    ),
    state: isRemoving ? { ...record.state, status: "removing" } : record.state,
    ...networkPartOf(parts, record, sandbox),
    ports,
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
  sandbox: StoredSandbox | undefined,
): Pick<Container, "networks" | "bridge" | "sandboxId"> {
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
