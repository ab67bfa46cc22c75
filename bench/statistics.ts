/** Milliseconds of one thing measured often. */
export interface Sample {
  readonly name: string;
  readonly milliseconds: readonly number[];
}

/** The value below which a share `q` (0 to 1) of the sample lies, by the nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? Number.NaN;
}

export function median({ milliseconds }: Sample): number {
  return quantile(milliseconds, 0.5);
}

export interface Contender {
  readonly name: string;
  /** Brings about what `run` begins with; not measured. */
  readonly before?: () => Promise<void>;
  /** Runs the thing once, to its end. */
  readonly run: () => Promise<void>;
  /** Clears away; not measured. */
  readonly after?: () => Promise<void>;
}

/** Milliseconds in which the kernel clears away what one turn left (namespaces, cgroups), before the next begins. */
const pause = 25;

/**
 * Measures the contenders in turns, so that a slow minute of the machine falls on all
 * of them alike; each round begins with another one.
 */
export async function interleave(
  contenders: readonly Contender[],
  rounds: number,
  warmUp = 3,
): Promise<Sample[]> {
  const samples = contenders.map(({ name }) => ({ name, milliseconds: [] as number[] }));
  for (let round = -warmUp; round < rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const index = (turn + round + warmUp) % contenders.length;
      const contender = contenders[index];
      await contender?.before?.();
      await Bun.sleep(pause);
      const begun = performance.now();
      await contender?.run();
      const took = performance.now() - begun;
      await contender?.after?.();
      if (round >= 0) samples[index]?.milliseconds.push(took);
    }
  }
  return samples;
}
