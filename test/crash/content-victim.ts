/**
 * A process that is to die: opens the content of a data root, then does one thing with
 * THIMBLE_CRASH_AT naming the step at which it kills itself.
 * Usage: content-victim.ts DATA_ROOT (pull | load | commit | step | repair | push | untag | delete) STEP
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { collect, silentLog } from "#base";
import { openDataRoot } from "#content";
import { parseReference } from "#image";
import { sourceOf, victimImages } from "../support/content-images.ts";
import { streamOf } from "../support/tree.ts";

const [root = "", scenario = "", step = ""] = process.argv.slice(2);
const { content, snapshots } = await openDataRoot(root, { log: silentLog });
const { victim } = victimImages();
const references = [parseReference("victim:1")];
const pull = (name = "victim:1") =>
  content.pull({
    manifestBytes: victim.manifestBytes,
    references: [parseReference(name)],
    source: sourceOf([victim]),
  });
const remove = (ref: string) => content.images.remove(ref, { force: true, usersOf: () => [] });

/** As a push with `--compression` does at its end. */
async function compress(): Promise<void> {
  const image = content.resolve("victim:1");
  await using lease = content.lease();
  const made = await content.recompress(image, { lease, choose: () => ({ format: "zstd" }) });
  if (made) await content.replaceManifest(image, made, { lease });
}

async function prepare(): Promise<() => Promise<unknown>> {
  switch (scenario) {
    case "pull":
      return pull;
    case "load": {
      await pull();
      const archive = await collect(content.saveArchive(["victim:1"]), 1 << 24, "archive");
      await remove("victim:1");
      return () => content.loadArchive(streamOf(archive));
    }
    case "commit": {
      const base = content.resolve("kept:1");
      const upper = join(root, "upper");
      return () =>
        content.createImageFromUpper({ upper, base, config: {}, reference: references[0] });
    }
    case "step": {
      const { layers, chainId } = content.resolve("kept:1");
      await snapshots.prepare("step", chainId);
      writeFileSync(join(snapshots.directory("step"), "new"), "new");
      return async () => {
        await using lease = content.lease();
        await content.commitLayer({ key: "step", below: layers, lease });
      };
    }
    case "repair": {
      const [lowest] = content.resolve("kept:1").layers;
      rmSync(snapshots.directory(lowest?.chainId ?? ""), { recursive: true });
      return () => content.fsck({ repair: true });
    }
    case "push":
      await pull();
      return compress;
    case "untag":
      await pull();
      await pull("victim:2");
      return () => remove("victim:1");
    default:
      await pull();
      return () => remove("victim:1");
  }
}

const work = await prepare();
process.env.THIMBLE_CRASH_AT = step;
await work();
// Only reached when the step was never met.
process.exit(99);
