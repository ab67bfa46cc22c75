import { randomBytes } from "node:crypto";
import { Fault } from "#base";
import type { Solution } from "./solver.ts";

/** A build can refer to the result of another for so long after that ended. */
const keptMs = 600_000;
const maxKept = 512;

interface Kept {
  /** A result, or why there is none. */
  readonly made: Solution | Fault;
  timer?: ReturnType<typeof setTimeout>;
}

/** One image of a result. */
export interface ImageRef {
  readonly solution: Solution;
  readonly image: number;
}

/** Results of builds, by the ids under which clients know them. */
export class Solutions {
  readonly #kept = new Map<string, Kept>();

  /** Keeps a result; gives its id, which cannot be guessed. */
  add(solution: Solution): string {
    return this.#keep(solution);
  }

  /** Keeps the failure of a build in the place of its result: who uses that gets the fault. */
  addFailure(fault: Fault): string {
    return this.#keep(fault);
  }

  #keep(made: Solution | Fault): string {
    const id = randomBytes(16).toString("hex");
    this.#kept.set(id, { made });
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > maxKept && oldest !== undefined) this.#remove(oldest);
    return id;
  }

  /** By its id, and the place of the image ("ID.1") where it has several. `not_found` for one that is not here any more. */
  image(ref: string): ImageRef {
    const [id = "", place = "0"] = ref.split(".");
    const made = this.#kept.get(id)?.made;
    const image = Number(place);
    if (made instanceof Fault) throw made;
    if (!made?.images[image]) throw new Fault("not_found", `no such ref ${ref}`, { about: ref });
    return { solution: made, image };
  }

  /** Lets go of a result of a build that has ended, after a while. */
  release(id: string): void {
    const kept = this.#kept.get(id);
    if (!kept || kept.timer) return;
    kept.timer = setTimeout(() => this.#remove(id), keptMs);
    kept.timer.unref();
  }

  /** Lets go of all. */
  async close(): Promise<void> {
    for (const [id, { made, timer }] of [...this.#kept]) {
      clearTimeout(timer);
      this.#kept.delete(id);
      if (!(made instanceof Fault)) await made[Symbol.asyncDispose]();
    }
  }

  #remove(id: string): void {
    const kept = this.#kept.get(id);
    clearTimeout(kept?.timer);
    this.#kept.delete(id);
    if (!kept || kept.made instanceof Fault) return;
    kept.made[Symbol.asyncDispose]().then(undefined, () => undefined);
  }
}
