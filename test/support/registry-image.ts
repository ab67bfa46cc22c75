import { gzipSync, zstdCompressSync } from "node:zlib";
import { fileTar, HandmadeLayout, named, ociTypes } from "./interop-layout.ts";

interface SampleLayout {
  readonly directory: string;
  /** Of the manifest "one", of the index "all". */
  readonly one: string;
  readonly all: string;
}

/** An OCI layout with an image ("one": a gzip layer, a zstd layer, one of `size` bytes) and an index of two ("all"). */
export function sampleLayout(directory: string, size = 3 << 20): SampleLayout {
  const layout = new HandmadeLayout(directory);
  const layerOf = (name: string, content: string) => {
    const tar = fileTar(name, content);
    return { tar, type: ociTypes.gzip, bytes: gzipSync(tar) };
  };
  const noise = Buffer.from(
    Uint8Array.from({ length: size }, (_, index) => (index * 2654435761) >>> 13),
  ).toString("latin1");
  const large = fileTar("large", noise);
  const zstd = fileTar("zstd", "compressed with zstd");
  const one = layout.image([
    layerOf("etc/first", "one"),
    { tar: zstd, type: ociTypes.zstd, bytes: zstdCompressSync(zstd) },
    { tar: large, type: ociTypes.tar, bytes: large },
  ]);
  const other = layout.image([layerOf("etc/second", "two")]);
  const all = layout.document(ociTypes.index, {
    manifests: [one, { ...other, platform: { os: "linux", architecture: "riscv64" } }],
  });
  layout.index(named(one, "one"), named(all, "all"));
  return { directory, one: one.digest, all: all.digest };
}
