import type { Clock } from "#base";
import type { Content, StoredLayer } from "#content";
import type { ChainId, Descriptor, DiffId } from "#image";
import type { State } from "#state";

const steps = [
  `CREATE TABLE build_step (
    key TEXT PRIMARY KEY,
    layers TEXT NOT NULL,
    parts TEXT NOT NULL,
    description TEXT NOT NULL,
    size INTEGER NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    uses INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
  "CREATE INDEX build_step_description ON build_step (description)",
];

/** A layer as the cache knows it: its place in a stack comes from the layers below. */
type CachedLayer = Pick<StoredLayer, "diffId" | "blob" | "size">;

/** The result of a step. */
export interface CachedStep {
  /** The layers that it adds to those below it, lowest first; none when it changed nothing. */
  readonly layers: readonly CachedLayer[];
  /** What its key was made of, by field: for saying why a step ran. */
  readonly parts: Readonly<Record<string, string>>;
  /** Its name, for people: "RUN make". */
  readonly description: string;
}

/** A step as the list of the cache shows it. Times are milliseconds since 1970. */
export interface StepRecord extends CachedStep {
  readonly key: string;
  /** Bytes of its blobs and files. */
  readonly size: number;
  readonly created: number;
  readonly used: number;
  readonly uses: number;
}

interface StepRow {
  readonly key: string;
  readonly layers: string;
  readonly parts: string;
  readonly description: string;
  readonly size: number;
  readonly created: number;
  readonly used: number;
  readonly uses: number;
}

/**
 * The results of steps by their keys. A row and the pin that keeps its layers are written together;
 * a power cut may lose the latest of them, and then the step runs again.
 */
export class CacheStore {
  readonly #state: State;
  readonly #content: Pick<Content, "pin" | "unpin" | "has">;
  readonly #clock: Clock;
  /** Keys that builds under way use, with the number of their uses. */
  readonly #held = new Map<string, number>();

  constructor(parts: {
    readonly state: State;
    readonly content: Pick<Content, "pin" | "unpin" | "has">;
    readonly clock: Clock;
  }) {
    this.#state = parts.state;
    this.#content = parts.content;
    this.#clock = parts.clock;
    parts.state.migrate("build-cache", steps);
  }

  /** The result of a step; undefined when it is not known, or when a blob of it is gone. */
  find(key: string): CachedStep | undefined {
    const row = this.#state.first<StepRow>("SELECT * FROM build_step WHERE key = ?", key);
    if (!row) return undefined;
    const step = readRow(row);
    return step.layers.every(({ blob }) => this.#content.has(blob.digest)) ? step : undefined;
  }

  /**
   * Remembers the result of a step, in the place of an earlier one. `places` are the chain ids of its
   * layers; hold them with a lease before.
   */
  async put(
    key: string,
    step: CachedStep & { readonly places: readonly ChainId[] },
  ): Promise<void> {
    const { layers, parts, description, places } = step;
    const size = layers.reduce((sum, layer) => sum + layer.size + layer.blob.size, 0);
    const now = this.#now();
    const before = this.#state.first("SELECT 1 FROM build_step WHERE key = ?", key);
    if (before) await this.#content.unpin([holderOf(key)]);
    this.#state.transaction(() => {
      this.#state.run(
        "INSERT OR REPLACE INTO build_step (key, layers, parts, description, size, created, used, uses) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",
        ...[key, JSON.stringify(layers), JSON.stringify(parts), description, size, now, now],
      );
      const blobs = layers.map(({ blob }) => blob.digest);
      this.#content.pin(holderOf(key), { blobs, layers: places });
    });
  }

  /** Notes that a build has used these results. */
  touch(keys: Iterable<string>): void {
    const now = this.#now();
    this.#state.transaction(() => {
      for (const key of keys) {
        this.#state.run("UPDATE build_step SET used = ?, uses = uses + 1 WHERE key = ?", now, key);
      }
    });
  }

  /** Keeps a step from being pruned until this is disposed of. */
  hold(key: string): Disposable {
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#held.get(key) ?? 1) - 1;
        if (left > 0) this.#held.set(key, left);
        else this.#held.delete(key);
      },
    };
  }

  isHeld(key: string): boolean {
    return this.#held.has(key);
  }

  /** Those used longest ago first; of one build the last steps first, since others stand on them. */
  list(): StepRecord[] {
    return this.#state
      .query<StepRow>("SELECT * FROM build_step ORDER BY used, created DESC, key")
      .map((row) => ({ ...row, ...readRow(row) }));
  }

  /**
   * Steps of before that one of this name may be compared with, the latest first: those of the same
   * name, or else of the same place, "[build 2/5]".
   */
  alike(name: string): CachedStep[] {
    const place = name.slice(0, name.indexOf("] ") + 2);
    const rows = (condition: string, text: string) =>
      this.#state.query<StepRow>(
        `SELECT * FROM build_step WHERE ${condition} ORDER BY used DESC LIMIT 16`,
        text,
      );
    const same = rows("description = ?", name);
    const found = same.length > 0 ? same : rows("substr(description, 1, length(?1)) = ?1", place);
    return found.map(readRow);
  }

  /** Forgets results; gives the bytes that went. Those that builds hold stay. */
  async remove(keys: readonly string[]): Promise<number> {
    const free = keys.filter((key) => !this.#held.has(key));
    this.#state.transaction(() => {
      for (const key of free) this.#state.run("DELETE FROM build_step WHERE key = ?", key);
    });
    return await this.#content.unpin(free.map(holderOf));
  }

  #now(): number {
    return Number(this.#clock.now() / 1_000_000n);
  }
}

const holderOf = (key: string) => `build ${key}`;

function readRow({ layers, parts, description }: StepRow): CachedStep {
  return {
    layers: JSON.parse(layers) as { diffId: DiffId; blob: Descriptor; size: number }[],
    parts: JSON.parse(parts) as Record<string, string>,
    description,
  };
}
