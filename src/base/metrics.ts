type Labels = Readonly<Record<string, string>>;

/** A number that goes up and down, per combination of labels. */
export interface Gauge {
  /** Replaces the number of these labels. */
  set(value: number, labels?: Labels): void;
}

/**
 * A number that only grows, per combination of labels; `set` takes a number that was counted
 * elsewhere.
 */
export interface Counter extends Gauge {
  /** Adds to the number of these labels, which begins at 0; `value` is not negative. */
  add(value: number, labels?: Labels): void;
}

/** The number of values up to each bound, per combination of labels. */
export interface Histogram {
  /** Counts one value, in the unit of the name. */
  observe(value: number, labels?: Labels): void;
  /** Shows a combination of labels before there is a value, so that its first one counts as a change. */
  declare(labels: Labels): void;
}

interface Family {
  render(): string;
}

/** Seconds, as Prometheus' own clients have them. */
const usualBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Numbers by name for Prometheus. Everything is in memory and nothing blocks. Names follow
 * Prometheus' rules: `_total` for a counter, `_seconds` or `_bytes` for the unit.
 */
export class Metrics {
  readonly #prefix: string;
  readonly #families: Family[] = [];

  /** `prefix` begins every name, as "engine_daemon_". */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** A counter of the name; `help` is one line for people. */
  counter(name: string, help: string): Counter {
    return this.#keep(new Numbers(this.#prefix + name, "counter", help));
  }

  /** A gauge of the name; `help` is one line for people. */
  gauge(name: string, help: string): Gauge {
    return this.#keep(new Numbers(this.#prefix + name, "gauge", help));
  }

  /** A histogram of the name; `buckets` are upper bounds, in rising order. */
  histogram(name: string, help: string, buckets: readonly number[] = usualBuckets): Histogram {
    return this.#keep(new Distribution(this.#prefix + name, help, buckets));
  }

  /** All of them in Prometheus' text format, version 0.0.4. */
  render(): string {
    return this.#families.map((family) => family.render()).join("");
  }

  #keep<F extends Family>(family: F): F {
    this.#families.push(family);
    return family;
  }
}

class Numbers implements Counter, Family {
  readonly #series = new Map<string, number>();
  readonly #name: string;
  readonly #type: "counter" | "gauge";
  readonly #help: string;

  constructor(name: string, type: "counter" | "gauge", help: string) {
    this.#name = name;
    this.#type = type;
    this.#help = help;
  }

  add(value: number, labels: Labels = {}): void {
    const key = labelText(labels);
    this.#series.set(key, (this.#series.get(key) ?? 0) + value);
  }

  set(value: number, labels: Labels = {}): void {
    this.#series.set(labelText(labels), value);
  }

  render(): string {
    const rows = [...this.#series].map(([labels, value]) => `${this.#name}${labels} ${value}\n`);
    return heading(this.#name, this.#type, this.#help) + rows.join("");
  }
}

interface Observed {
  readonly labels: Labels;
  readonly counts: number[];
  sum: number;
  count: number;
}

class Distribution implements Histogram, Family {
  readonly #series = new Map<string, Observed>();
  readonly #name: string;
  readonly #help: string;
  readonly #buckets: readonly number[];

  constructor(name: string, help: string, buckets: readonly number[]) {
    this.#name = name;
    this.#help = help;
    this.#buckets = buckets;
  }

  declare(labels: Labels): void {
    this.#of(labels);
  }

  observe(value: number, labels: Labels = {}): void {
    const observed = this.#of(labels);
    for (const [index, limit] of this.#buckets.entries()) {
      if (value <= limit) observed.counts[index] = (observed.counts[index] ?? 0) + 1;
    }
    observed.sum += value;
    observed.count++;
  }

  #of(labels: Labels): Observed {
    const key = labelText(labels);
    const known = this.#series.get(key);
    if (known) return known;
    const fresh = { labels, counts: this.#buckets.map(() => 0), sum: 0, count: 0 };
    this.#series.set(key, fresh);
    return fresh;
  }

  render(): string {
    const name = this.#name;
    const rows = [...this.#series.values()].flatMap(({ labels, counts, sum, count }) => [
      ...this.#buckets.map(
        (limit, index) =>
          `${name}_bucket${labelText({ ...labels, le: String(limit) })} ${counts[index]}\n`,
      ),
      `${name}_bucket${labelText({ ...labels, le: "+Inf" })} ${count}\n`,
      `${name}_sum${labelText(labels)} ${sum}\n`,
      `${name}_count${labelText(labels)} ${count}\n`,
    ]);
    return heading(name, "histogram", this.#help) + rows.join("");
  }
}

function heading(name: string, type: string, help: string): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
