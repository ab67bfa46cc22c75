import type { State } from "#state";

const steps = [
  `CREATE TABLE volume_loan (
     name TEXT NOT NULL,
     borrower TEXT NOT NULL,
     PRIMARY KEY (name, borrower)
   ) STRICT`,
];

interface Loan {
  readonly name: string;
  readonly borrower: string;
}

/** Which volumes others than this engine's containers hold; they outlive the engine, and end with the machine's run. */
export class Loans {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
    state.migrate("volume-loan", steps);
    if (state.rebooted) state.run("DELETE FROM volume_loan");
  }

  all(): readonly Loan[] {
    return this.#state.query("SELECT * FROM volume_loan");
  }

  /** On the disk when it returns. */
  add({ name, borrower }: Loan): void {
    this.#state.durably(() =>
      this.#state.run(
        "INSERT OR IGNORE INTO volume_loan (name, borrower) VALUES (?, ?)",
        name,
        borrower,
      ),
    );
  }

  remove({ name, borrower }: Loan): void {
    this.#state.run("DELETE FROM volume_loan WHERE name = ? AND borrower = ?", name, borrower);
  }
}
