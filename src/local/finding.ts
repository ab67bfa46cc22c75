/** One thing that doctor looked at. */
export interface Finding {
  readonly area: "Kernel" | "Privileges" | "Limits" | "Storage" | "Network" | "Images" | "Tools";
  readonly name: string;
  /** `missing`: thimble cannot do its work without it. `lacking`: some feature cannot. */
  readonly state: "ok" | "lacking" | "missing";
  /** The version, path or number that was found. */
  readonly found: string;
  /** The features that do not work without it; "" when all is well. */
  readonly consequence: string;
  /** The remedy; "" when nothing needs one. */
  readonly fix: string;
}

/** A check's statement: `without` and `fix` count when it is not `ok`. */
interface Judgement {
  readonly name: string;
  readonly ok: boolean;
  /** Without it nothing works; otherwise only a feature is missing. */
  readonly needed?: boolean;
  readonly found: string;
  readonly without: string;
  readonly fix: string;
}

/** A check's result: not `ok` is "missing" where it is `needed`, else "lacking". */
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

/** The result of an attempt: its value, or the message of its failure. */
export async function attempt<T>(
  work: () => T | Promise<T>,
): Promise<{ readonly value: T } | { readonly failure: string }> {
  try {
    return { value: await work() };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error) };
  }
}
