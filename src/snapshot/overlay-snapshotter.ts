import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Fault, faultOf, type Log, silentLog } from "#base";
import type { ChainId } from "#image";
import {
  diskUsage,
  fchmodat,
  fchownat,
  fstatat,
  lackOfLimits,
  limitDirectory,
  type Mount,
  makePrivateDirectory,
  O_DIRECTORY,
  openat2,
  renameat2,
  syncfsAsync,
  type TreeUsage,
  unlimit,
} from "#kernel";
import type { State } from "#state";
import { crashPoint } from "./crash-point.ts";
import { makeMountPointLayer } from "./mount-points.ts";
import { type SnapshotRow, SnapshotTable } from "./snapshot-table.ts";
import type {
  FoundFile,
  SnapshotInfo,
  SnapshotKind,
  SnapshotProblem,
  Snapshotter,
} from "./snapshotter.ts";
import { readEntry, StackView } from "./stack-view.ts";
import { Trash } from "./trash.ts";

const maxLookup = 1 << 20;
/** Linux, fs/overlayfs/params.h: OVL_MAX_STACK. */
const maxLayers = 500;

/** Where the snapshots are. */
export interface OverlaySnapshotterOptions {
  /** A directory of its own; made when missing. Short: overlay options name many paths below it. */
  readonly root: string;
  readonly state: State;
  readonly log?: Log;
  /** Does not settle what a crash left; `problems` lists it. */
  readonly untouched?: boolean;
}

interface CreateOptions {
  readonly parent: ChainId | undefined;
  readonly volatile: boolean;
  readonly limit?: number | undefined;
}

/**
 * Opens the overlay snapshots below `root` and settles what a crash left: directories without a row
 * go into the trash; rows without a directory are dropped, as are, after the machine itself went
 * down, layers that had not reached the disk.
 */
export async function openOverlaySnapshotter(
  options: OverlaySnapshotterOptions,
): Promise<OverlaySnapshotter> {
  return new OverlaySnapshotter(options);
}

/**
 * Snapshots as overlayfs layers: ROOT/<number>/fs is a layer or an upper directory,
 * ROOT/<number>/work overlayfs's own, ROOT/empty the lower layer of a snapshot without a
 * parent, ROOT/mount-points that of a volatile one, ROOT/trash the directories that are being
 * deleted.
 */
export class OverlaySnapshotter implements Snapshotter {
  readonly #root: string;
  readonly #table: SnapshotTable;
  readonly #trash: Trash;
  readonly #log: Log;
  readonly #rebooted: boolean;
  readonly #rootAttributes = new Map<number, { mode: number; uid: number; gid: number }>();
  /** The layers of those that were looked into: what is below a snapshot stays while it is there under a name. */
  readonly #layers = new Map<string, readonly string[]>();
  #next: number;
  #syncing: Promise<void> = Promise.resolve();

  constructor(options: OverlaySnapshotterOptions) {
    const { root, state, log = silentLog, untouched = false } = options;
    this.#root = root;
    this.#rebooted = state.rebooted;
    this.#log = log;
    // Setuid programs of images must be out of reach of the host's users.
    makePrivateDirectory(root);
    mkdirSync(join(root, "empty"), { recursive: true, mode: 0o755 });
    makeMountPointLayer(join(root, "mount-points"));
    this.#table = new SnapshotTable(state);
    this.#trash = new Trash(join(root, "trash"), log);
    const taken = [...this.#numbers(), ...this.#table.all().map(({ id }) => id)];
    this.#next = taken.reduce((most, id) => Math.max(most, id), 0) + 1;
    if (!untouched) this.#settle();
  }

  async prepare(
    key: string,
    parent: ChainId | undefined,
    { volatile = false, limit }: Partial<CreateOptions> = {},
  ): Promise<void> {
    const lack = limit === undefined ? undefined : this.lackOfLimits();
    if (lack) throw new Fault("unsupported", `cannot limit a snapshot: ${lack}`, { about: key });
    this.#create(key, "active", { parent, volatile, limit });
  }

  lackOfLimits(): string | undefined {
    return lackOfLimits(this.#root);
  }

  async view(key: string, parent: ChainId | undefined): Promise<void> {
    this.#create(key, "view", { parent, volatile: false });
  }

  async mounts(key: string): Promise<readonly Mount[]> {
    const row = this.#table.get(key);
    if (row.kind === "committed") {
      throw new Fault("conflict", `snapshot ${key} is committed; prepare or view one over it`);
    }
    return this.#mountsOf(row);
  }

  planned(
    parent: ChainId | undefined,
    options: { readonly volatile?: boolean } = {},
  ): readonly Mount[] {
    return this.#mountsOf({
      id: this.#next,
      name: "planned",
      kind: "active",
      parent: this.#parentId(parent),
      volatile: options.volatile ? 1 : 0,
    });
  }

  plannedView(parent: ChainId): readonly Mount[] {
    const row = { id: this.#next, name: "planned", kind: "view", volatile: 0 } as const;
    return this.#mountsOf({ ...row, parent: this.#parentId(parent) });
  }

  #mountsOf(row: Pick<SnapshotRow, "id" | "name" | "kind" | "parent" | "volatile">): Mount[] {
    const lower = this.#lowerDirectories(row);
    if (row.volatile === 1 && lower.length < maxLayers)
      lower.push(join(this.#root, "mount-points"));
    // An overlay wants one lower layer with an upper directory, and two without.
    const needed = row.kind === "active" ? 1 : 2;
    if (lower.length < needed) lower.push(join(this.#root, "empty"));
    if (lower.length < needed) lower.push(this.#fs(row.id));
    const options = lower.map((path) => `lowerdir+=${path}`);
    if (row.kind === "active") {
      options.push(`upperdir=${this.#fs(row.id)}`, `workdir=${join(this.#path(row.id), "work")}`);
    } else options.unshift("ro");
    // Attributes of an image's files must never redirect a lookup to another place of a layer,
    // and an upper layer must be complete in itself, to be committed.
    options.push("redirect_dir=nofollow", "metacopy=off", "index=off");
    if (row.volatile === 1) options.push("volatile");
    return [{ type: "overlay", source: "overlay", options }];
  }

  async commit(
    name: ChainId,
    key: string,
    { size, parent }: { readonly size: number; readonly parent?: ChainId | undefined },
  ): Promise<void> {
    const { id, parent: before } = this.#active(key);
    const stands = parent === undefined ? before : this.#parentId(parent);
    this.#layers.delete(key);
    this.#table.commit({ id, name, parent: stands, size });
    crashPoint("snapshot:work-kept");
    rmSync(join(this.#path(id), "work"), { recursive: true, force: true });
    this.#sync(id);
  }

  async replace(name: ChainId, key: string): Promise<void> {
    const row = this.#table.get(name);
    const from = this.#active(key);
    if (row.kind !== "committed") {
      throw new Fault("conflict", `snapshot ${name} is ${row.kind}; only a layer can be replaced`);
    }
    // Until it has reached the disk again, a power cut drops it, to be unpacked once more.
    this.#table.markSynced(row.id, 0);
    if (existsSync(this.#path(row.id))) this.#trash.take(this.#path(row.id));
    crashPoint("snapshot:old-files-gone");
    renameSync(this.#path(from.id), this.#path(row.id));
    crashPoint("snapshot:files-replaced");
    this.#table.delete(from);
    this.#layers.delete(key);
    rmSync(join(this.#path(row.id), "work"), { recursive: true, force: true });
    this.#rootAttributes.delete(row.id);
    this.#sync(row.id);
  }

  async adopt(
    name: ChainId,
    parent: ChainId | undefined,
    content: { readonly directory: string; readonly size: number },
  ): Promise<void> {
    const parentId = this.#parentId(parent);
    if (this.#table.find(name)) throw new Fault("exists", `the snapshot ${name} exists already`);
    const id = this.#next++;
    mkdirSync(this.#path(id), { mode: 0o700 });
    try {
      const from = { directory: undefined, path: content.directory };
      renameat2(from, { directory: undefined, path: this.#fs(id) });
    } catch (error) {
      rmSync(this.#path(id), { recursive: true });
      throw error;
    }
    const row = { id, name, kind: "committed", parent: parentId, volatile: 0, synced: 0 } as const;
    try {
      this.#table.insert({ ...row, size: content.size });
    } catch (error) {
      renameSync(this.#fs(id), content.directory);
      rmSync(this.#path(id), { recursive: true });
      throw error;
    }
    this.#sync(id);
  }

  async remove(name: string): Promise<void> {
    const row = this.#table.get(name);
    this.#table.delete(row);
    this.#rootAttributes.delete(row.id);
    this.#layers.delete(name);
    crashPoint("snapshot:row-deleted");
    // Between the two a crash leaves a directory without a row, which the next start finds.
    if (existsSync(this.#path(row.id))) this.#trash.take(this.#path(row.id));
  }

  async usage(name: string): Promise<TreeUsage> {
    return await diskUsage(this.directory(name));
  }

  stat(name: string): SnapshotInfo | undefined {
    const row = this.#table.find(name);
    return row && this.#info(row);
  }

  list(): readonly SnapshotInfo[] {
    return this.#table.all().map((row) => this.#info(row));
  }

  async activeKeys(): Promise<readonly string[]> {
    return this.#table
      .all()
      .filter(({ kind }) => kind !== "committed")
      .map(({ name }) => name);
  }

  directory(name: string): string {
    return this.#fs(this.#table.get(name).id);
  }

  layers(name: string): readonly string[] {
    const known = this.#layers.get(name);
    if (known) return known;
    const row = this.#table.get(name);
    const layers = [this.#fs(row.id), ...this.#lowerDirectories(row)];
    this.#layers.set(name, layers);
    return layers;
  }

  async lookup(name: string, path: string): Promise<Buffer | undefined> {
    using view = new StackView(this.layers(name));
    const entry = view.find(path);
    return entry && readEntry(entry, maxLookup);
  }

  async find(name: string, path: string): Promise<FoundFile | undefined> {
    using view = new StackView(this.layers(name));
    const entry = view.find(path);
    if (!entry) return undefined;
    return {
      hostPath: join(readlinkSync(`/proc/self/fd/${entry.directory.number}`), entry.name),
      stat: entry.stat,
    };
  }

  problems(): readonly SnapshotProblem[] {
    const rows = this.#table.all();
    const lost = rows
      .filter((row) => this.#isLost(row))
      .map((row) => ({ kind: "lost", snapshot: this.#info(row) }) as const);
    const known = new Set(rows.map(({ id }) => id));
    const stray = this.#numbers()
      .filter((id) => !known.has(id))
      .map((id) => {
        const path = this.#path(id);
        return { kind: "stray", path, discard: () => this.#trash.take(path) } as const;
      });
    return [...lost, ...stray];
  }

  async drain(): Promise<void> {
    await this.#syncing;
    await this.#trash.drain();
  }

  #active(key: string): SnapshotRow {
    const row = this.#table.get(key);
    if (row.kind === "active") return row;
    throw new Fault(
      "conflict",
      `snapshot ${key} is ${row.kind}; only an active one can be committed`,
    );
  }

  #path(id: number): string {
    return join(this.#root, String(id));
  }

  #fs(id: number): string {
    return join(this.#root, String(id), "fs");
  }

  #info(row: SnapshotRow): SnapshotInfo {
    const parent = row.parent === null ? undefined : this.#table.byId(row.parent)?.name;
    const { name, kind, size } = row;
    return { name, kind, size, ...(parent !== undefined && { parent: parent as ChainId }) };
  }

  #parentId(parent: ChainId | undefined): number | null {
    if (parent === undefined) return null;
    const row = this.#table.get(parent);
    if (row.kind === "committed") return row.id;
    throw new Fault("conflict", `snapshot ${parent} is not committed and cannot be built upon`);
  }

  /** The directories first, then the row, which makes it exist. */
  #create(name: string, kind: SnapshotKind, { parent, volatile, limit }: CreateOptions): void {
    const parentId = this.#parentId(parent);
    if (this.#table.find(name)) throw new Fault("exists", `the snapshot ${name} exists already`);
    const id = this.#next++;
    mkdirSync(this.#path(id), { mode: 0o700 });
    try {
      // Before there is anything in it: files move between its two directories.
      if (limit !== undefined) limitDirectory(this.#path(id), limit);
      mkdirSync(this.#fs(id), { mode: 0o755 });
      if (parentId !== null) this.#copyRoot(parentId, id);
      if (kind === "active") mkdirSync(join(this.#path(id), "work"), { mode: 0o700 });
      crashPoint("snapshot:directory-made");
      this.#table.insert({
        ...{ id, name, kind, parent: parentId, size: 0, synced: 1 },
        volatile: volatile ? 1 : 0,
      });
    } catch (error) {
      if (limit !== undefined) unlimit([this.#path(id)]);
      rmSync(this.#path(id), { recursive: true, force: true });
      throw error;
    }
  }

  /** The root of an overlay looks as its upper directory does. */
  #copyRoot(from: number, to: number): void {
    let attributes = this.#rootAttributes.get(from);
    if (!attributes) {
      const { mode, uid, gid } = fstatat(undefined, this.#fs(from), false);
      attributes = { mode: mode & 0o7777, uid, gid };
      this.#rootAttributes.set(from, attributes);
    }
    const { mode, uid, gid } = attributes;
    if (uid !== 0 || gid !== 0) fchownat(undefined, this.#fs(to), { uid, gid });
    fchmodat(undefined, this.#fs(to), mode);
  }

  /** The directories of its ancestors, nearest first. */
  #lowerDirectories(row: Pick<SnapshotRow, "name" | "parent">): string[] {
    const directories: string[] = [];
    for (let id = row.parent; id !== null; ) {
      const parent = this.#table.byId(id);
      if (!parent) throw new Fault("data_loss", `snapshot ${row.name} has lost a layer below it`);
      directories.push(this.#fs(id));
      if (directories.length > maxLayers) {
        throw new Fault("exhausted", `snapshot ${row.name} has more than ${maxLayers} layers`);
      }
      id = parent.parent;
    }
    return directories;
  }

  /**
   * No caller waits for the disk: that can take seconds, and until then a power cut costs only
   * layers that can be unpacked again.
   */
  #sync(id: number): void {
    this.#syncing = this.#syncing.then(async () => {
      try {
        using directory = openat2(undefined, this.#fs(id), { flags: O_DIRECTORY });
        await syncfsAsync(directory);
        this.#table.markSynced(id);
      } catch (error) {
        this.#log.warn("a layer could not be written to the disk", {
          error: faultOf(error).message,
        });
      }
    });
  }

  /**
   * Drops lost snapshots without children, uppermost first, and files that belong to no snapshot.
   */
  #settle(): void {
    for (let changed = true; changed; ) {
      changed = false;
      const rows = this.#table.all();
      const parents = new Set(rows.map(({ parent }) => parent));
      for (const row of rows) {
        if (!this.#isLost(row) || parents.has(row.id)) continue;
        this.#log.info("dropping a snapshot that did not reach the disk", { name: row.name });
        this.#table.delete(row);
        changed = true;
      }
    }
    for (const problem of this.problems()) if (problem.kind === "stray") problem.discard();
  }

  #isLost(row: SnapshotRow): boolean {
    return !existsSync(this.#fs(row.id)) || (this.#rebooted && row.synced === 0);
  }

  #numbers(): number[] {
    return readdirSync(this.#root)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  }
}
