import { defined } from "#base";
import type { LayerProgress } from "#content";
import { type Descriptor, digestHex } from "#image";
import type { LayerStep, TransferReport } from "./registry-contract.ts";

/** Milliseconds between two reports of the same step of a layer. */
const interval = 100;

/** Downloads at a time, as `content` has it. */
const atOnce = 3;

/** The short form of a digest that progress is shown with. */
export function layerId(digest: string): string {
  return digest.slice(digest.indexOf(":") + 1).slice(0, 12);
}

/** Lets the first and the last report of each step pass, and one in a while between them. */
export function throttled(report: TransferReport, now: () => number = Date.now): TransferReport {
  const last = new Map<string, { readonly step: LayerStep; readonly time: number }>();
  return (event) => {
    if (event.kind !== "layer" || event.current === undefined) return report(event);
    const before = last.get(event.id);
    const time = now();
    const isDue =
      before?.step !== event.step ||
      time - before.time >= interval ||
      (event.total !== undefined && event.current >= event.total);
    if (!isDue) return;
    last.set(event.id, { step: event.step, time });
    report(event);
  };
}

/**
 * The progress that `content` reports about the layers of one pull, in the steps that are shown:
 * each layer is named once before anything else is said of it, steps do not go back, and a layer
 * that stands in the manifest several times counts once.
 */
export function layerReporter(
  layers: readonly Descriptor[],
  report: TransferReport,
): (layer: Descriptor, progress: LayerProgress) => void {
  const known = new Set(layers.map(({ digest }) => digest));
  const seen = new Map<string, LayerStep>();
  const limited = throttled(report);
  let found = 0;
  return ({ digest }, { phase: step, current, total }) => {
    if (!known.has(digest)) return;
    const id = layerId(digestHex(digest));
    const before = seen.get(id);
    if (before === "exists" || before === "complete") return;
    if (before === undefined && step !== "exists") {
      limited({ kind: "layer", id, step: "found" });
      found++;
    }
    seen.set(id, step);
    // The first ones hardly wait at all, so it is not shown.
    if (step === "waiting" && found <= atOnce) return;
    // A step without numbers is told once.
    if (before === step && current === undefined) return;
    limited({
      kind: "layer",
      id,
      step,
      ...defined({ current, total }),
    });
  };
}
