/** One thing that doctor looked at. */
export interface Finding {
  readonly area: "Kernel" | "Privileges" | "Limits" | "Storage" | "Network" | "Images" | "Tools";
  readonly name: string;
  /** `missing`: thimble cannot do its work without it. `lacking`: some feature cannot. */
  readonly state: "ok" | "lacking" | "missing";
  /** What there is: a version, a path, a number. */
  readonly found: string;
  /** What cannot be done without it; "" when all is well. */
  readonly consequence: string;
  /** What to do about it; "" when there is nothing to do. */
  readonly fix: string;
}

/** What a check says of itself: `without` and `fix` count when it is not there. */
interface Judgement {
  readonly name: string;
  readonly ok: boolean;
  /** Without it nothing works; otherwise only a feature is missing. */
  readonly needed?: boolean;
  readonly found: string;
  readonly without: string;
  readonly fix: string;
}

/**
 * A check's result: what is `needed` and not `ok` is missing, anything else not `ok` is lacking.
 */
export function finding(area: Finding["area"], judgement: Judgement): Finding {
  const { name, ok, found, needed } = judgement;
  return {
    area,
    name,
    found,
    state: ok ? "ok" : needed ? "missing" : "lacking",
    consequence: ok ? "" : judgement.without,
    fix: ok ? "" : judgement.fix,
  };
}

/** What an attempt gave: its value, or the message of its failure. */
export async function attempt<T>(
  work: () => T | Promise<T>,
): Promise<{ readonly value: T } | { readonly failure: string }> {
  try {
    return { value: await work() };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
