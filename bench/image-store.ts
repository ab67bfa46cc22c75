import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LayoutImage } from "./layout-image.ts";
import { command } from "./peers.ts";
import type { Stage } from "./stage.ts";

/** One engine or tool that keeps images: the same few verbs for each. */
interface ImageStore {
  readonly name: string;
  pull(reference: string): string[];
  /** Takes an image away with all its names and all that belongs to it, if it is there. */
  remove(reference: string, image: LayoutImage): Promise<void>;
}

/** An engine that also gives images away. */
export interface Engine extends ImageStore {
  push(reference: string): string[];
  tag(from: string, to: string): string[];
  save(reference: string, file: string): string[];
  load(file: string): string[];
}

/** Writes out dirty pages on the disks of the engines, so that no turn writes those of another. */
export async function settle({ subject, peers }: Stage): Promise<void> {
  await command(["sync", "-f", subject.dataRoot, ...(peers ? [peers.tree] : [])]);
}

export function ownStore({ subject }: Pick<Stage, "subject">): Engine {
  const blobs = join(subject.dataRoot, "content/blobs/sha256");
  return {
    name: "thimble",
    pull: (reference) => subject.argv("pull", "-q", reference),
    push: (reference) => subject.argv("push", "-q", reference),
    tag: (from, to) => subject.argv("tag", from, to),
    save: (reference, file) => subject.argv("save", "-o", file, reference),
    load: (file) => subject.argv("load", "-q", "-i", file),
    async remove(reference, { config, layers }) {
      if (!(await removed(subject.argv("rmi", "-f", config.digest)))) return;
      // Remaining blobs would be a pull's head start.
      const kept = layers.map(({ digest }) => digest.slice(7));
      for (let attempt = 0; kept.some((hex) => existsSync(join(blobs, hex))); attempt++) {
        if (attempt > 600) throw new Error(`${reference} is removed and its blobs are still there`);
        await Bun.sleep(50);
      }
      await quiet(subject.pid);
    },
  };
}

export function dockerStore(host: string): Engine {
  const docker = (...argv: string[]) => ["docker", "-H", host, ...argv];
  return {
    name: "dockerd",
    pull: (reference) => docker("pull", "-q", reference),
    push: (reference) => docker("push", "-q", reference),
    tag: (from, to) => docker("tag", from, to),
    save: (reference, file) => docker("save", "-o", file, reference),
    load: (file) => docker("load", "-q", "-i", file),
    remove: async (_, { config }) => void (await removed(docker("rmi", "-f", config.digest))),
  };
}

/** False when it was missing. */
async function removed(argv: readonly string[]): Promise<boolean> {
  return await command(argv).then(
    () => true,
    (error: Error) => {
      if (/no such image|image not known|not found/i.test(error.message)) return false;
      throw error;
    },
  );
}

/** Returns once a process has used no processor time for a tenth of a second. */
async function quiet(pid: number): Promise<void> {
  const used = async () => {
    const stat = await readFile(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(fields[11]) + Number(fields[12]);
  };
  for (let before = await used(), attempt = 0; attempt < 100; attempt++) {
    await Bun.sleep(100);
    const now = await used();
    if (now - before <= 1) return;
    before = now;
  }
}
