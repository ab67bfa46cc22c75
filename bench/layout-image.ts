import { readFile } from "node:fs/promises";
import { join } from "node:path";

interface LayoutBlob {
  readonly digest: string;
  readonly size: number;
  readonly path: string;
}

/** The one image of an OCI layout. */
export interface LayoutImage {
  readonly directory: string;
  readonly manifest: { readonly mediaType: string; readonly bytes: Uint8Array };
  readonly config: LayoutBlob;
  readonly layers: readonly LayoutBlob[];
}

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Reads what `bench/fixtures` made (image-spec, image-layout.md). */
export async function readLayoutImage(directory: string): Promise<LayoutImage> {
  const blob = ({ digest, size }: Descriptor): LayoutBlob => ({
    digest,
    size,
    path: join(directory, "blobs", digest.replace(":", "/")),
  });
  const index = JSON.parse(await readFile(join(directory, "index.json"), "utf8"));
  const [named] = index.manifests as readonly Descriptor[];
  if (!named) throw new Error(`${directory} holds no image`);
  const bytes = await readFile(blob(named).path);
  const { config, layers } = JSON.parse(bytes.toString("utf8")) as {
    readonly config: Descriptor;
    readonly layers: readonly Descriptor[];
  };
  return {
    directory,
    manifest: { mediaType: named.mediaType, bytes },
    config: blob(config),
    layers: layers.map(blob),
  };
}
