import { encodeDocument, sha256 } from "#image";
import { type TarMember, tarOf } from "./tree.ts";

export interface LayeredImage {
  readonly name: string;
  readonly layers: readonly (readonly TarMember[])[];
  readonly config?: object;
  /** RFC 3339; absent: 2024-05-06. */
  readonly created?: string;
}

/** An archive as `docker save` writes it, of an image with these layers, each with a step of history. */
export function layeredArchive({
  name,
  layers,
  config = { Cmd: ["/bin/sh"] },
  created = "2024-05-06T07:08:09Z",
}: LayeredImage): Buffer {
  const tars = layers.map((members) => tarOf(members));
  const document = encodeDocument({
    ...{ architecture: "amd64", os: "linux", created, config, docker_version: "kept" },
    rootfs: { type: "layers", diff_ids: tars.map((tar) => sha256(tar)) },
    history: tars.map((_, index) => ({ created, created_by: `step ${index + 1}` })),
  });
  const file = (path: string, bytes: Uint8Array): TarMember => ({
    name: path,
    content: Buffer.from(bytes).toString("latin1"),
  });
  const paths = tars.map((_, index) => `${index}/layer.tar`);
  return tarOf([
    ...tars.map((tar, index) => file(paths[index] ?? "", tar)),
    file("config.json", document),
    file(
      "manifest.json",
      encodeDocument([{ Config: "config.json", RepoTags: [name], Layers: paths }]),
    ),
  ]);
}

export const directory = (name: string, more: Partial<TarMember> = {}): TarMember => ({
  name: `${name}/`,
  type: "directory",
  mode: 0o755,
  ...more,
});

export const file = (name: string, bytes: number | string, more: Partial<TarMember> = {}) => ({
  name,
  content: typeof bytes === "number" ? name.slice(-1).repeat(bytes) : bytes,
  ...more,
});
