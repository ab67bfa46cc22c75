import type { Volume, VolumeRequest } from "#volume";
import type { Filters } from "../contract.ts";

export type { Volume, VolumeRequest };

/** What a volume takes on the disk, and how many containers have it. */
export interface VolumeUsage {
  readonly volume: Volume;
  readonly bytes: number;
  readonly containers: number;
}

/** A volume to fill from an archive. */
export interface ImportRequest {
  readonly name: string;
  readonly owner: VolumeRequest["owner"];
  readonly archive: AsyncIterable<Uint8Array>;
  /** Whether files that it has give way. */
  readonly replaces: boolean;
  readonly signal: AbortSignal;
}

/** What an import has put into a volume. */
export interface ImportResult {
  readonly volume: Volume;
  readonly entries: number;
  /** Bytes of the files, holes included. */
  readonly bytes: number;
}

/** The volumes of one engine. Faults have Docker's words; a name that nothing has is `not_found`. */
export interface EngineVolumes {
  /**
   * Makes a volume, or gives the one that has the name. `invalid` for names and options,
   * `not_found` for a driver.
   */
  create(request: VolumeRequest): Volume;
  /** The volume; `not_found` when there is none of that name. */
  get(name: string): Volume;
  /** By name; filters: `name` (a pattern), `label`, `driver`, `dangling`. */
  list(filters: Filters): readonly Volume[];
  /**
   * Makes a volume with the files of another and its labels. `copied`: the bytes that the file
   * system could not share. A warning says when a running container may change them meanwhile.
   * `exists` for a name that is taken, `unsupported` for a volume with options.
   */
  clone(
    name: string,
    request: { readonly to: string; readonly owner: VolumeRequest["owner"] },
  ): Promise<{
    readonly volume: Volume;
    readonly copied: number;
    readonly warnings: readonly string[];
  }>;
  /**
   * The volume's files as an uncompressed tar, exact: owners, modes, times, extended attributes,
   * hard links, holes. Sockets and file systems mounted in it are left out. Files that change
   * meanwhile may be torn.
   */
  export(name: string): AsyncIterable<Uint8Array>;
  /**
   * Gives a volume, which is made if it is missing, the files of a tar (plain, gzip, zstd or xz):
   * all of them, or after a fault none. `exists` when it has files and not `replaces`; `conflict`
   * while a container runs with it; `unsupported` for a volume with options.
   */
  import(request: ImportRequest): Promise<ImportResult>;
  /** Gives a volume another name; `conflict` while a container has it, `exists` for a taken name. */
  rename(name: string, to: string): Promise<Volume>;
  /**
   * Removes a volume with its files; `conflict` while a container has it, running or not. With
   * `force` a volume that is not there is fine.
   */
  remove(name: string, options: { readonly force: boolean }): Promise<void>;
  /**
   * Removes the anonymous volumes that no container has, or with the filter `all` named ones too;
   * further filters: `label`, `label!`. `bytes` is the disk space of their files.
   */
  prune(filters: Filters): Promise<{ readonly removed: readonly string[]; readonly bytes: number }>;
  /** The use of all volumes that are plain directories; walks their files. */
  usage(): Promise<readonly VolumeUsage[]>;
}
