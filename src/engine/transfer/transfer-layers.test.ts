import { expect, test } from "bun:test";
import { type Descriptor, sha256 } from "#image";
import type { TransferEvent } from "./registry-contract.ts";
import { layerReporter, throttled } from "./transfer-layers.ts";

const layer = (name: string): Descriptor => ({
  mediaType: "application/vnd.oci.image.layer.v1.tar+gzip",
  digest: sha256(name),
  size: 10,
});

function reported(layers: readonly Descriptor[]) {
  const events: string[] = [];
  const names = new Map(layers.map(({ digest }, index) => [digest.slice(7, 19), index]));
  const report = layerReporter(layers, (event: TransferEvent) => {
    if (event.kind !== "layer") return;
    events.push(`${names.get(event.id)} ${event.step} ${event.current ?? ""}`.trim());
  });
  return { events, report };
}

test("a layer is named before anything is said of it, and each step once", () => {
  const one = layer("one");
  const { events, report } = reported([one]);
  report(one, { phase: "waiting" });
  report(one, { phase: "downloading", current: 10, total: 10 });
  report(one, { phase: "verifying" });
  report(one, { phase: "verifying" });
  report(one, { phase: "complete" });
  report(one, { phase: "complete" });
  expect(events).toEqual(["0 found", "0 downloading 10", "0 verifying", "0 complete"]);
});

test("a stored layer exists and no more; blobs that are not layers are not told", () => {
  const one = layer("one");
  const { events, report } = reported([one]);
  report(one, { phase: "exists" });
  report(one, { phase: "complete" });
  report(layer("other"), { phase: "downloading" });
  expect(events).toEqual(["0 exists"]);
});

test("of more than three layers the others wait", () => {
  const layers = ["a", "b", "c", "d"].map(layer);
  const { events, report } = reported(layers);
  for (const each of layers) report(each, { phase: "waiting" });
  expect(events).toEqual(["0 found", "1 found", "2 found", "3 found", "3 waiting"]);
});

test("progress is told now and then, its beginning and its end always", () => {
  const seen: (number | undefined)[] = [];
  let now = 0;
  const report = throttled(
    (event) => event.kind === "layer" && seen.push(event.current),
    () => now,
  );
  for (let current = 0; current <= 1000; current += 10, now += 10) {
    report({ kind: "layer", id: "a", step: "downloading", current, total: 1000 });
  }
  expect(seen).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000]);
});
