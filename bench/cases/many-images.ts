import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crowdArchive } from "../image-crowd.ts";
import { residentSetSize } from "../machine.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave } from "../statistics.ts";
import { startSubject } from "../subject.ts";

const count = 1000;
const atOnce = 250;
const atMost = 20;

/** `images` and `inspect` of an engine that has a thousand, each as a whole process. */
export async function manyImages(stage: Stage): Promise<Finding[]> {
  const { directory } = await stage.library();
  await using subject = await startSubject();
  const file = join(await directory("crowd"), "crowd.tar");
  for (let first = 0; first < count; first += atOnce) {
    await writeFile(file, crowdArchive(first, atOnce));
    await command(subject.argv("load", "-q", "-i", file));
  }
  await rm(file);
  const listed = (await command(subject.argv("images", "-q"))).split("\n").length;
  if (listed !== count) throw new Error(`${listed} images are listed, not ${count}`);
  const [images, inspect] = await interleave(
    [
      { name: "thimble", run: async () => void (await command(subject.argv("images"))) },
      {
        name: "thimble",
        run: async () => void (await command(subject.argv("inspect", "crowd/image-500"))),
      },
    ],
    stage.rounds,
  );
  if (!images || !inspect) throw new Error("nothing was measured");
  return [
    { kind: "timed", title: "images, with 1,000 of them", samples: [images], atMost },
    { kind: "timed", title: "inspect, with 1,000 images", samples: [inspect], atMost },
    {
      kind: "figure",
      title: "engine with 1,000 images, after listing them (RSS)",
      figure: `${(residentSetSize(subject.pid) / 1024).toFixed(1)} MB`,
    },
  ];
}
