import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import { interleave } from "../statistics.ts";
import { startSubject } from "../subject.ts";

const atMost = 1000;
const volume = "ten-gigabytes";
/** Of ten files each the first is written, the others share its blocks: 10 GB in 1,000 files. */
const written = 100;
const each = { files: 10, mebibytes: 10 };
const mkfs = {
  xfs: ["mkfs.xfs", "-q", "-m", "reflink=1"],
  btrfs: ["mkfs.btrfs", "-q"],
};

/** `volume clone` of 10 GB on file systems that share blocks between files, each on a loop device. */
export async function volumeClone({ rounds }: { readonly rounds: number }): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [name, make] of Object.entries(mkfs)) {
    if (Bun.which(make[0] ?? "") === null) {
      console.error(`without ${name}: ${make[0]} is not there`);
      continue;
    }
    findings.push(await onFileSystem(name, make, Math.min(rounds, 10)));
  }
  return findings;
}

async function onFileSystem(
  name: string,
  make: readonly string[],
  rounds: number,
): Promise<Finding> {
  await using scope = new AsyncDisposableStack();
  const work = await mkdtemp("/var/tmp/thimble-clone-");
  scope.defer(() => rm(work, { recursive: true, force: true }));
  const [file, place] = [join(work, "disk"), join(work, "mounted")];
  await command(["truncate", "-s", "4G", file]);
  await command([...make, file]);
  await mkdir(place);
  await command(["mount", "-o", "loop", file, place]);
  scope.defer(async () => void (await command(["umount", place])));
  const subject = scope.use(await startSubject({ disk: { place, within: (argv) => [...argv] } }));
  await command(subject.argv("volume", "create", volume));
  await fill(join(subject.dataRoot, "volumes", volume, "_data"));
  const samples = await interleave(
    [
      {
        name: "thimble",
        run: async () => void (await command(subject.argv("volume", "clone", volume, "clone"))),
        after: async () => void (await command(subject.argv("volume", "rm", "clone"))),
      },
    ],
    rounds,
    1,
  );
  return { kind: "timed", title: `volume clone of 10 GB in 1,000 files, ${name}`, samples, atMost };
}

async function fill(directory: string): Promise<void> {
  const bytes = Buffer.alloc(each.mebibytes << 20);
  for (let at = 0; at < written; at++) {
    crypto.getRandomValues(bytes.subarray(0, 65536));
    const first = join(directory, `${at}-0`);
    await Bun.write(first, bytes);
    for (let copy = 1; copy < each.files; copy++)
      await command(["cp", "--reflink=always", first, join(directory, `${at}-${copy}`)]);
  }
  await command(["sync", "-f", directory]);
}
