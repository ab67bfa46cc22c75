import type { Digest } from "#image";
import type { State } from "#state";

const steps = [
  `CREATE TABLE blob_source (
    digest TEXT NOT NULL,
    repository TEXT NOT NULL,
    noted INTEGER NOT NULL,
    PRIMARY KEY (digest, repository)
  ) STRICT, WITHOUT ROWID`,
];

/** More would not make a mount likelier. */
const maxSources = 8;

/** In which repositories a blob is known to be, so that a push can mount it from there. */
export class SourceTable {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("content-source", steps);
  }

  /** `repository` is canonical: "docker.io/library/debian". */
  note(digests: readonly Digest[], repository: string): void {
    this.#state.transaction(() => {
      for (const digest of digests) this.#note(digest, repository);
    });
  }

  /** The latest first. */
  of(digest: Digest): string[] {
    return this.#state
      .query<{ repository: string }>(
        "SELECT repository FROM blob_source WHERE digest = ? ORDER BY noted DESC, repository",
        digest,
      )
      .map(({ repository }) => repository);
  }

  forget(digests: readonly Digest[]): void {
    if (digests.length === 0) return;
    this.#state.transaction(() => {
      for (const digest of digests) {
        this.#state.run("DELETE FROM blob_source WHERE digest = ?", digest);
      }
    });
  }

  /** Drops notes about blobs that are gone. */
  forgetNeedless(isNeeded: (digest: Digest) => boolean): void {
    const known = this.#state.query<{ digest: Digest }>("SELECT DISTINCT digest FROM blob_source");
    this.forget(known.map(({ digest }) => digest).filter((digest) => !isNeeded(digest)));
  }

  #note(digest: Digest, repository: string): void {
    this.#state.run(
      "INSERT INTO blob_source (digest, repository, noted) VALUES (?1, ?2, (SELECT coalesce(max(noted), 0) + 1 FROM blob_source WHERE digest = ?1)) ON CONFLICT (digest, repository) DO UPDATE SET noted = excluded.noted",
      ...[digest, repository],
    );
    this.#state.run(
      "DELETE FROM blob_source WHERE digest = ?1 AND repository NOT IN (SELECT repository FROM blob_source WHERE digest = ?1 ORDER BY noted DESC LIMIT ?2)",
      ...[digest, maxSources],
    );
  }
}
