/**
 * Linux follows 40 links on the way along a path, each of up to 4,095 bytes: some
 * 80,000 names, by every layer that is looked into. No image needs that many.
 */
const walkSteps = 4096;

/** The number of steps left for a walk over names and links that strangers have made. */
export class StepBudget {
  #left: number;

  constructor(steps = walkSteps) {
    this.#left = steps;
  }

  /** False once the steps are used up: the walk must end then. */
  take(steps = 1): boolean {
    this.#left -= steps;
    return this.#left >= 0;
  }
}
