import { Fault } from "#base";
import { familiarString } from "#image";
import { packTree } from "#layer";
import type { CarrierParts } from "./carrier.ts";
import type { BuildExport, BuildOutcome, ExportOptions } from "./contract.ts";

type ExportParts = Pick<CarrierParts, "content" | "snapshots" | "mount">;

/** The result of a build as a tar: an archive of the image, or the files of its root. */
export function exportBuild(
  parts: ExportParts,
  outcome: BuildOutcome,
  { type, tags }: ExportOptions,
): BuildExport {
  return {
    stream: () =>
      type === "files" ? rootFiles(parts, outcome) : imageArchive(parts, outcome, tags),
    [Symbol.asyncDispose]: () => outcome[Symbol.asyncDispose](),
  };
}

function imageArchive(
  { content }: ExportParts,
  { image }: BuildOutcome,
  tags: ExportOptions["tags"],
): AsyncGenerator<Uint8Array, void> {
  if (!image) throw new Fault("internal", "the build has no image to be exported");
  return content.saveImage(image, tags.map(familiarString));
}

async function* rootFiles(
  { snapshots, mount }: ExportParts,
  { layers }: BuildOutcome,
): AsyncGenerator<Uint8Array, void> {
  const chain = layers.at(-1)?.chainId;
  await using mounted = await mount(chain === undefined ? [] : snapshots.plannedView(chain));
  yield* packTree(mounted.path, { includeRoot: false });
}
