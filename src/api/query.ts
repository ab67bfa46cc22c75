import { Fault } from "#base";
import { parseFilters, type WireFilters } from "#wire";

/** The query of a request, read as Docker's server reads it. Every malformed value is an `invalid` fault naming its parameter. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(text: string) {
    this.#values = new URLSearchParams(text);
  }

  /** Undefined when absent or empty. */
  text(name: string): string | undefined {
    return this.#values.get(name) || undefined;
  }

  all(name: string): readonly string[] {
    return this.#values.getAll(name);
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** True unless absent or one of "", "0", "no", "false" and "none". */
  flag(name: string): boolean {
    const value = (this.#values.get(name) ?? "").trim().toLowerCase();
    return !["", "0", "no", "false", "none"].includes(value);
  }

  /** True or false in Go's words of them; false when absent. */
  truth(name: string): boolean {
    const text = this.text(name);
    if (text === undefined || /^(0|f|F|false|FALSE|False)$/.test(text)) return false;
    if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
    const why = `strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`;
    throw new Fault("invalid", `invalid value for ${name}: ${text}: ${why}`, { about: text });
  }

  whole(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : parseWhole(text);
  }

  /** SOURCE_DATE_EPOCH as nanoseconds; ours: Docker has no such parameter. */
  get epoch(): bigint | undefined {
    const seconds = this.timestamp("epoch");
    if (seconds !== undefined && seconds >= 253_402_300_800_000_000_000n)
      throw malformed("epoch", this.text("epoch") ?? "", "a time before the year 10000");
    return seconds;
  }

  /** Seconds since the epoch, with a fraction of which nine digits count, as nanoseconds. */
  timestamp(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const [seconds = "", fraction = "0"] = text.split(/\.(.*)/s);
    for (const [part, pattern] of [
      [seconds, /^[+-]?\d{1,12}$/],
      [fraction, /^\d{1,18}$/],
    ] as const)
      if (!pattern.test(part)) throw notNumber("ParseInt", part);
    return BigInt(seconds) * 1_000_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  }

  /** The `filters`; keys other than those accepted, if there are any, are refused, as a typing error would select everything. */
  filters(accepted?: readonly string[]): WireFilters {
    const filters = parseFilters(this.text("filters"));
    const unknown = accepted && Object.keys(filters).find((key) => !accepted.includes(key));
    if (unknown !== undefined) throw new Fault("invalid", `invalid filter '${unknown}'`);
    return filters;
  }
}

/** A whole number; dockerd gives a mistake in it no kind, so it is a 500. */
export function parseWhole(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) throw notNumber("Atoi", text);
  return Number(text);
}

/** In the words of Go's library. */
function notNumber(verb: "Atoi" | "ParseInt", text: string): Fault {
  const message = `strconv.${verb}: parsing ${JSON.stringify(text)}: invalid syntax`;
  return new Fault("internal", message, { about: text });
}

function malformed(name: string, text: string, wanted: string): Fault {
  return new Fault(
    "invalid",
    `invalid query parameter ${name}=${JSON.stringify(text)}: ${wanted} is expected`,
  );
}
