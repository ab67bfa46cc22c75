import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { FreshDisks } from "./fresh-disk.ts";
import { type LayoutImage, readLayoutImage } from "./layout-image.ts";
import { command } from "./peers.ts";
import { debianRegistry, type RegistryPeer, startRegistry } from "./registry-peer.ts";

/** The parts that the cases about images and registries share; made when the first of them asks. */
export interface Library extends AsyncDisposable {
  readonly debian: LayoutImage;
  readonly small: LayoutImage;
  /** Debian's docker-registry as a program. */
  readonly registryBinary: string;
  /** Debian's registry with both images, as `debian` and `small`: what everybody pulls from. */
  readonly source: RegistryPeer;
  /** Made when first asked for. */
  disks(): Promise<FreshDisks>;
  /** A directory of its own on the disk that the engines use too. */
  directory(name: string): Promise<string>;
}

export async function openLibrary(work: string): Promise<Library> {
  const cache = await command([join(import.meta.dir, "fixtures")]);
  const directory = async (name: string) => {
    const path = join(work, name);
    await mkdir(path, { recursive: true });
    return path;
  };
  await using scope = new AsyncDisposableStack();
  const [debian, small] = await Promise.all(
    ["debian", "small"].map((name) => readLayoutImage(join(cache, name))),
  );
  if (!debian || !small) throw new Error(`the images of ${cache} are not there`);
  const registryBinary = join(cache, "docker-registry");
  const place = await directory("source");
  const source = scope.use(
    await startRegistry(debianRegistry(registryBinary, place, { cache: true })),
  );
  await source.fill("debian", debian);
  await source.fill("small", small);
  let disks: Promise<FreshDisks> | undefined;
  scope.defer(async () => void (await (await disks)?.[Symbol.asyncDispose]()));
  const opened = scope.move();
  return {
    debian,
    small,
    registryBinary,
    source,
    disks: () => {
      disks ??= FreshDisks.open(work);
      return disks;
    },
    directory,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
