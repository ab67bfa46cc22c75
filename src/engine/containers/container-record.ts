import type { ContainerId } from "#base";
import type { ChainId, Digest } from "#image";
import type { Mount } from "#kernel";
import type {
  ContainerConfig,
  ContainerState,
  HostConfig,
  NetworkAttachment,
  Owner,
} from "../contract.ts";

/** What the engine stores of a container. A value: the store replaces it as a whole. */
export interface ContainerRecord {
  readonly id: ContainerId;
  readonly name: string;
  readonly imageId: Digest;
  /** The image's uppermost layer; absent for an image without layers. */
  readonly chainId?: ChainId;
  /** Nanoseconds since the epoch. */
  readonly createdAt: bigint;
  readonly owner: Owner;
  readonly config: ContainerConfig;
  readonly host: HostConfig;
  readonly argv: readonly string[];
  readonly root: Mount;
  readonly state: ContainerState;
  /** From before the helper is launched until the program runs: what a crash in between has to settle. */
  readonly starting: boolean;
  /** Field 22 of /proc/PID/stat of `state.pid`, which tells it from a later process of that number. */
  readonly startTime: bigint;
  readonly restartCount: number;
  /** Paths on the host of the files that stand in /etc; "" before the first start. */
  readonly files: {
    readonly hostname: string;
    readonly hosts: string;
    readonly resolvConf: string;
  };
  readonly network?: NetworkAttachment;
}

/** What of a record never changes after create, as one column. */
type Definition = Pick<
  ContainerRecord,
  "imageId" | "chainId" | "owner" | "config" | "host" | "argv" | "root"
>;

/** What changes over its life, as another. */
type Course = Pick<
  ContainerRecord,
  "state" | "starting" | "startTime" | "restartCount" | "network" | "files"
>;

/** A row of the table `container`; bigints are text, because SQLite's driver gives numbers. */
export interface ContainerRow {
  readonly id: string;
  readonly name: string;
  readonly created_at: string;
  readonly definition: string;
  readonly course: string;
}

export function encodeDefinition(record: ContainerRecord): string {
  const { imageId, chainId, owner, config, host, argv, root } = record;
  const definition: Definition = {
    imageId,
    ...(chainId !== undefined && { chainId }),
    owner,
    config,
    host,
    argv,
    root,
  };
  return JSON.stringify(definition);
}

export function encodeCourse(record: ContainerRecord): string {
  const { state, starting, startTime, restartCount, network, files } = record;
  return JSON.stringify({
    state: {
      ...state,
      startedAt: state.startedAt.toString(),
      finishedAt: state.finishedAt.toString(),
    },
    starting,
    startTime: startTime.toString(),
    restartCount,
    network,
    files,
  });
}

export function decodeRow(row: ContainerRow): ContainerRecord {
  const course = JSON.parse(row.course);
  return {
    id: row.id as ContainerId,
    name: row.name,
    createdAt: BigInt(row.created_at),
    ...(JSON.parse(row.definition) as Definition),
    ...(course as Course),
    state: {
      ...course.state,
      startedAt: BigInt(course.state.startedAt),
      finishedAt: BigInt(course.state.finishedAt),
    },
    startTime: BigInt(course.startTime),
  };
}
