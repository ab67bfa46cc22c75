import type { ContainerId } from "#base";
import { defined } from "#base";
import { type Description, describeContainer, type PlacedMount, type Sent } from "#container";
import type { ChainId, Digest, ImageDefaults } from "#image";
import type { Mount } from "#kernel";
import type { ContainerState, Owner } from "../contract.ts";
import { currentVersion, upgradeDefinition } from "./definition-version.ts";

/** A container as the engine stores it. A value: the store replaces it as a whole. */
export interface ContainerRecord extends Description {
  readonly id: ContainerId;
  readonly name: string;
  readonly imageId: Digest;
  /** The image's uppermost layer; absent for an image without layers. */
  readonly chainId?: ChainId;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  readonly owner: Owner;
  /** As the client sent it; only names of other containers have become ids. */
  readonly sent: Sent;
  /** The image's defaults when the container was made. */
  readonly imageDefaults: ImageDefaults;
  readonly argv: readonly string[];
  /** Its volumes, and the mounts that it has from other containers. */
  readonly placed: readonly PlacedMount[];
  readonly root: Mount;
  readonly state: ContainerState;
  /**
   * True from before the helper is launched until the program runs: a crash in between must be
   * settled.
   */
  readonly starting: boolean;
  /** Field 22 of /proc/PID/stat of `state.pid`, which tells it from a later process of that number. */
  readonly startTime: bigint;
  /** How often its policy has started it again since its user did. */
  readonly restartCount: number;
  /**
   * Whether its policy ended this run because the container was unhealthy: it starts again then,
   * whatever its exit code.
   */
  readonly endedUnhealthy: boolean;
  /** Whether its user stopped or killed it, after which its policy starts it no more. */
  readonly stoppedByUser: boolean;
  /** Paths on the host of the files that stand in /etc; "" before the first start. */
  readonly files: {
    readonly hostname: string;
    readonly hosts: string;
    readonly resolvConf: string;
  };
}

/** The part of a record that never changes after create, as one column. */
export type Definition = Pick<
  ContainerRecord,
  "imageId" | "chainId" | "owner" | "sent" | "imageDefaults" | "placed" | "root"
>;

/** The part that changes over its life, as another column. */
type Course = Pick<
  ContainerRecord,
  "state" | "starting" | "startTime" | "restartCount" | "endedUnhealthy" | "stoppedByUser" | "files"
>;

/** Whether its processes exist: it runs, or stands still where it was paused. */
export function isUp(state: ContainerState | undefined): boolean {
  return state?.status === "running" || state?.status === "paused";
}

/** Whether it counts as running for those who list and wait: its policy may be about to start it again. */
export function goesOn(state: ContainerState): boolean {
  return isUp(state) || state.status === "restarting";
}

/** A row of the table `container`; bigints are text, because SQLite's driver gives numbers. */
export interface ContainerRow {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly definition: string;
  readonly course: string;
}

/**
 * The column that says what the container is; `version` tells how to read it
 * (definition-version.ts).
 */
export function encodeDefinition(record: ContainerRecord): string {
  const { imageId, chainId, owner, sent, imageDefaults, placed, root } = record;
  const definition: Definition = {
    imageId,
    ...defined({ chainId }),
    owner,
    sent,
    imageDefaults,
    placed,
    root,
  };
  return JSON.stringify({ version: currentVersion, ...definition });
}

/**
 * The column that changes with each run. Nanoseconds are texts, since JSON's numbers cannot hold
 * them.
 */
export function encodeCourse(record: ContainerRecord): string {
  const { state, starting, startTime, restartCount, endedUnhealthy, stoppedByUser, files } = record;
  return JSON.stringify({
    state: {
      ...state,
      startedAt: state.startedAt.toString(),
      finishedAt: state.finishedAt.toString(),
    },
    starting,
    startTime: startTime.toString(),
    restartCount,
    endedUnhealthy,
    stoppedByUser,
    files,
  });
}

/** A record of a row of any version; fields that this program added since have their defaults. */
export function decodeRow(row: ContainerRow): ContainerRecord {
  const definition = upgradeDefinition(JSON.parse(row.definition));
  const course = JSON.parse(row.course);
  return {
    id: row.id as ContainerId,
    name: row.name,
    createdAt: BigInt(row.created_at),
    ...definition,
    ...describeContainer(definition.sent, definition.imageDefaults),
    ...(course as Course),
    // Rows of before these were recorded have none.
    endedUnhealthy: course.endedUnhealthy ?? false,
    stoppedByUser: course.stoppedByUser ?? false,
    state: {
      ...course.state,
      startedAt: BigInt(course.state.startedAt),
      finishedAt: BigInt(course.state.finishedAt),
    },
    startTime: BigInt(course.startTime),
  };
}
