import { existsSync, readFileSync, writeFileSync } from "node:fs";

/** The output of a command, without the parts that differ from run to run. */
export interface Step {
  readonly status: number;
  readonly lines: string[];
}

/**
 * The output of dockerd for some steps, kept as a file. With UPDATE=1 it is written anew, which is
 * to be done with DOCKER_HOST at the reference.
 */
export class Transcript {
  readonly #path: string;
  readonly #isUpdate = process.env.UPDATE === "1";
  #steps: Record<string, Step>;

  constructor(path: string) {
    this.#path = path;
    this.#steps = existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : {};
  }

  /** The expected output of the step; the output that was seen while the file is written anew. */
  expected(name: string, seen: Step): Step | undefined {
    if (this.#isUpdate) {
      this.#steps = { ...this.#steps, [name]: seen };
      writeFileSync(this.#path, `${JSON.stringify(this.#steps, null, 2)}\n`);
    }
    return this.#steps[name];
  }
}

/**
 * Lines without the parts that change each time: digests, ids of layers (LAYER1 and so on as they
 * come up), sizes. Lines of several layers side by side have no order among them: they are sorted
 * by layer.
 */
export function normalized(text: string, names: Readonly<Record<string, string>> = {}): string[] {
  let plain = text.replaceAll("\r", "");
  for (const [name, stands] of Object.entries(names)) plain = plain.replaceAll(name, stands);
  const layers = new Map<string, string>();
  const lines = plain
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "")
    .map((line) =>
      line
        .replace(/sha256:[0-9a-f]{64}/g, "DIGEST")
        .replace(/ size: \d+$/, " size: N")
        // The rest is in the registry's own words.
        .replace(/((?:manifest|name) unknown): .*$/, "$1")
        .replace(/^([0-9a-f]{12}): /, (_, id: string) => {
          const name = layers.get(id) ?? `LAYER${layers.size + 1}`;
          layers.set(id, name);
          return `${name}: `;
        }),
    );
  return sortLayers(lines);
}

/** Each run of lines about layers, by layer; the lines of one keep their order. */
function sortLayers(lines: readonly string[]): string[] {
  const sorted: string[] = [];
  let block: string[] = [];
  const layerOf = (line: string) => /^LAYER\d+/.exec(line)?.[0] ?? "";
  const flush = () => {
    sorted.push(...block.toSorted((a, b) => layerOf(a).localeCompare(layerOf(b))));
    block = [];
  };
  for (const line of lines) {
    if (layerOf(line) !== "") block.push(line);
    else {
      flush();
      sorted.push(line);
    }
  }
  flush();
  return sorted;
}
