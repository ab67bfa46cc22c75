import { createReadStream, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { decompress } from "../../src/rootfs/debian/decompress.ts";
import { Downloader } from "../../src/rootfs/debian/downloader.ts";
import { inUnpackOrder } from "../../src/rootfs/debian/order.ts";
import { findOrigin } from "../../src/rootfs/debian/origin.ts";
import { PackageIndex } from "../../src/rootfs/debian/package-index.ts";
import { fetchIndexes, openRepository } from "../../src/rootfs/debian/repository.ts";
import { findPackages, resolve } from "../../src/rootfs/debian/resolver.ts";
import { skeleton, writeFiles } from "../../src/rootfs/debian/skeleton.ts";
import { DebianPool } from "../../src/rootfs/debian-pool.ts";
import { Meter } from "../../src/rootfs/progress.ts";

const cache = join(import.meta.dir, "../../node_modules/.cache/debian-programs");
const architectures: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
const architecture = architectures[process.arch] ?? process.arch;

/**
 * A directory with programs of Debian and all that they depend on, unpacked and not installed:
 * enough to run what needs no set-up, as Python or Go programs. Made once for each list of packages
 * by thimble's own resolver, from the mirror of this machine, and kept beside the modules.
 */
export async function debianPrograms(suite: string, packages: readonly string[]): Promise<string> {
  const place = join(cache, [suite, ...packages].join("-"));
  if (existsSync(place)) return place;
  const root = `${place}.${process.pid}`;
  mkdirSync(root, { recursive: true, mode: 0o755 });
  try {
    await unpack({ suite, packages, root });
    renameSync(root, place);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
  return place;
}

interface Wanted {
  readonly suite: string;
  readonly packages: readonly string[];
  readonly root: string;
}

async function unpack({ suite, packages, root }: Wanted): Promise<void> {
  await using pool = new DebianPool(2);
  const downloader = new Downloader({ cacheDir: join(cache, "files") });
  const { repositories, keyring, checkValidUntil } = await findOrigin({ suite });
  const access = { downloader, pool, keyring, checkValidUntil, now: new Date() };
  const [main] = repositories;
  const opened = main && (await openRepository(main, access));
  if (opened === undefined) throw new Error(`there is no suite ${suite}`);
  const meter = new Meter("index", "", () => undefined);
  const index = new PackageIndex(architecture);
  for (const { path, name } of await fetchIndexes(opened, architecture, downloader, meter))
    index.add(await text(path, name), 0);
  const chosen = inUnpackOrder(resolve(index, findPackages(index, packages)));
  await writeFiles(root, skeleton(architecture), opened.release.date);
  await Promise.all(
    chosen.map(async ({ filename, sha256, size, name }) => {
      const urls = [`${opened.uri}/${encodeURI(filename)}`];
      const deb = await downloader.file({ urls, sha256, size });
      await pool.run("extract", { deb, name, root });
    }),
  );
}

async function text(path: string, name: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  const kind = name.endsWith(".xz") ? "xz" : name.endsWith(".gz") ? "gzip" : "none";
  for await (const chunk of decompress(createReadStream(path), kind, name)) chunks.push(chunk);
  return Buffer.concat(chunks).toString("latin1");
}
