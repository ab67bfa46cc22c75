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

  whole(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (!/^[+-]?\d{1,15}$/.test(text)) throw malformed(name, text, "a whole number");
    return Number(text);
  }

  /** SOURCE_DATE_EPOCH as nanoseconds; ours: Docker has no such parameter. */
  get epoch(): bigint | undefined {
    const seconds = this.timestamp("epoch");
    if (seconds !== undefined && seconds >= 253_402_300_800_000_000_000n)
      throw malformed("epoch", this.text("epoch") ?? "", "a time before the year 10000");
    return seconds;
  }

  /** Seconds since the epoch, with up to nine digits of fraction, as nanoseconds. */
  timestamp(name: string): bigint | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const match = /^(\d{1,12})(?:\.(\d{1,9}))?$/.exec(text);
    if (!match) throw malformed(name, text, "seconds since the epoch, as 1136073600.000000001");
    return BigInt(match[1] ?? "0") * 1_000_000_000n + BigInt((match[2] ?? "").padEnd(9, "0"));
  }

  /** Keys other than those accepted are refused, as a typing error would select everything. */
  filters(accepted: readonly string[]): WireFilters {
    const filters = parseFilters(this.text("filters"));
    const unknown = Object.keys(filters).find((key) => !accepted.includes(key));
    if (unknown !== undefined) throw new Fault("invalid", `invalid filter '${unknown}'`);
    return filters;
  }
}

function malformed(name: string, text: string, wanted: string): Fault {
  return new Fault(
    "invalid",
    `invalid query parameter ${name}=${JSON.stringify(text)}: ${wanted} is expected`,
  );
}
