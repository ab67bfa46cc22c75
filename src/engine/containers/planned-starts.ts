import { isDeepStrictEqual } from "node:util";
import type { ContainerId } from "#base";
import { bindsOf, networkModeOf } from "#container";
import type { PlannedTask, TaskInput } from "#task";
import type { ContainerRecord } from "./container-record.ts";
import { joinsContainer } from "./joined-container.ts";
import type { ResolvedUser } from "./user.ts";

/** The plan of a start, and the input that it was made from. */
export interface PlannedStart {
  /** Its namespaces that are joined have the paths of `unopened`. */
  readonly input: TaskInput;
  readonly planned: PlannedTask;
}

interface Entry extends PlannedStart {
  readonly record: ContainerRecord;
  readonly user: ResolvedUser;
}

/**
 * Most containers are started as soon as they are made; plans kept for the others would only fill
 * memory.
 */
const kept = 32;

/**
 * The plans that creates have made, each for the first start of its container, which would
 * otherwise compile the same bytes again. A plan is not kept when it depends on more than the
 * container's own row: the host's name, files on the host, parts of volumes, images that it
 * mounts, other containers.
 */
export class PlannedStarts {
  readonly #entries = new Map<ContainerId, Entry>();

  put(record: ContainerRecord, user: ResolvedUser, start: PlannedStart): void {
    if (!standsAlone(record)) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined && this.#entries.size >= kept) this.#entries.delete(oldest);
    this.#entries.set(record.id, { record, user, ...start });
  }

  /** Gives the plan out, once, where the row and the user are those it was made for. */
  take({ id, config, host, name }: ContainerRecord, user: ResolvedUser): PlannedStart | undefined {
    const entry = this.#entries.get(id);
    if (!entry) return undefined;
    this.#entries.delete(id);
    const { record } = entry;
    const isSame = record.config === config && record.host === host && record.name === name;
    return isSame && isDeepStrictEqual(entry.user, user) ? entry : undefined;
  }
}

function standsAlone({ host, placed }: ContainerRecord): boolean {
  const { kind } = networkModeOf(host);
  const sharesContainer = [host.PidMode, host.IpcMode].some(joinsContainer);
  const devices = [
    ...[host.Devices, host.DeviceRequests, host.BlkioWeightDevice],
    ...[host.BlkioDeviceReadBps, host.BlkioDeviceWriteBps],
    ...[host.BlkioDeviceReadIOps, host.BlkioDeviceWriteIOps],
  ];
  return (
    kind !== "host" &&
    kind !== "container" &&
    host.UTSMode !== "host" &&
    !sharesContainer &&
    bindsOf(host).length === 0 &&
    // Another device may be in the place of one by then.
    !host.Privileged &&
    devices.every((list) => list.length === 0) &&
    placed.every((mount) => mount.volume !== undefined && mount.subpath === "")
  );
}
