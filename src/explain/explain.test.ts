/** Golden cases: testdata/CASE/{input.json,want.json}; `UPDATE=1` writes what comes out. */
import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { compareImages } from "./compare-images.ts";
import { explainImage } from "./explain-image.ts";
import { explainPath } from "./explain-path.ts";
import { ImageView } from "./image-view.ts";
import { type FakeEntry, FakeLayer } from "./testing.ts";

interface Case {
  readonly layers: readonly (readonly FakeEntry[])[];
  readonly options?: { readonly top?: number; readonly depth?: number; readonly layer?: number };
  readonly paths?: readonly string[];
  readonly compare?: {
    readonly layers: Case["layers"];
    readonly shared?: number;
    readonly limit?: number;
  };
}

const directory = join(import.meta.dir, "testdata");
const breathe = () => undefined;
const viewOf = (layers: Case["layers"]) =>
  ImageView.read(
    layers.map((entries) => new FakeLayer(entries)),
    breathe,
  );

function answer({ layers, options, paths, compare }: Case): unknown {
  const view = viewOf(layers);
  if (compare) {
    const { shared = 0, limit = 100 } = compare;
    return compareImages(view, viewOf(compare.layers), { shared, limit, breathe });
  }
  if (paths) return paths.map((path) => explainPath(view, path, breathe));
  return explainImage(view, { top: 10, depth: 2, ...options, breathe });
}

test.each(readdirSync(directory))("%s", (name) => {
  const input = JSON.parse(readFileSync(join(directory, name, "input.json"), "utf8")) as Case;
  const text = `${JSON.stringify(answer(input), undefined, 2)}\n`;
  const want = join(directory, name, "want.json");
  if (process.env.UPDATE) writeFileSync(want, text);
  expect(text).toBe(readFileSync(want, "utf8"));
});
