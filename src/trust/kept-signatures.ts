import type { Digest } from "#image";
import type { State } from "#state";
import type { Signature } from "./signature.ts";

const steps = [
  `CREATE TABLE trust_signature (
    manifest TEXT NOT NULL,
    signed TEXT NOT NULL,
    form TEXT NOT NULL,
    payload BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (manifest, form, payload, signature)
  ) STRICT, WITHOUT ROWID`,
];

interface Row {
  readonly signed: Digest;
  readonly form: Signature["form"];
  readonly payload: Uint8Array;
  readonly signature: Uint8Array;
}

/** A signature that let an image be pulled. */
export interface KeptSignature {
  /**
   * The digest that it signs: the manifest's, or that of the index from which the manifest was
   * chosen.
   */
  readonly signed: Digest;
  readonly signature: Signature;
}

/** Signatures by the manifest they let in, so that a run can be checked without the registry. */
export class KeptSignatures {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("trust", steps);
  }

  keep(manifest: Digest, { signed, signature }: KeptSignature): void {
    const [payload, bytes] =
      signature.form === "simple"
        ? [signature.payload, signature.signature]
        : [signature.document, new Uint8Array()];
    this.#state.run(
      "INSERT OR IGNORE INTO trust_signature (manifest, signed, form, payload, signature) VALUES (?, ?, ?, ?, ?)",
      ...[manifest, signed, signature.form, payload, bytes],
    );
  }

  of(manifest: Digest): readonly KeptSignature[] {
    return this.#state
      .query<Row>(
        "SELECT signed, form, payload, signature FROM trust_signature WHERE manifest = ?",
        manifest,
      )
      .map(({ signed, form, payload, signature }) => ({
        signed,
        signature: form === "simple" ? { form, payload, signature } : { form, document: payload },
      }));
  }
}
