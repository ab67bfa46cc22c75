import { createHash } from "node:crypto";
import { type TarMember, tarOf } from "./tree.ts";

/** The flaw of an image layout; everything else about it is right. */
export interface LayoutFlaw {
  readonly layer?: readonly TarMember[];
  /** Declared in place of the layer's own digest, by which its blob is then named. */
  readonly layerDigest?: string;
  /** Declared in the configuration in place of the layer's own. */
  readonly diffId?: string;
  readonly layerSize?: number;
  readonly index?: string | Uint8Array;
  /** The archive's members, changed at will. */
  readonly members?: (members: readonly TarMember[]) => readonly TarMember[];
}

const ociType = "application/vnd.oci.image";

/** The tar of an OCI layout of one image of one layer, "name:latest", as `docker save` writes it. */
export function imageLayout(name: string, flaw: LayoutFlaw = {}): Buffer {
  const layer = tarOf(flaw.layer ?? [{ name: "hello", content: "hello" }]);
  const layerDigest = flaw.layerDigest ?? digestOf(layer);
  const config = json({
    architecture: "amd64",
    os: "linux",
    config: { Cmd: ["/hello"] },
    rootfs: { type: "layers", diff_ids: [flaw.diffId ?? digestOf(layer)] },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: `${ociType}.manifest.v1+json`,
    config: descriptor("config.v1+json", config),
    layers: [
      {
        mediaType: `${ociType}.layer.v1.tar`,
        digest: layerDigest,
        size: flaw.layerSize ?? layer.length,
      },
    ],
  });
  const annotations = { "io.containerd.image.name": `docker.io/library/${name}:latest` };
  const index = json({
    schemaVersion: 2,
    manifests: [{ ...descriptor("manifest.v1+json", manifest), annotations }],
  });
  const members: TarMember[] = [
    file("oci-layout", json({ imageLayoutVersion: "1.0.0" })),
    file("index.json", flaw.index ?? index),
    file(blobName(digestOf(manifest)), manifest),
    file(blobName(digestOf(config)), config),
    file(blobName(layerDigest), layer),
  ];
  return tarOf(flaw.members?.(members) ?? members);
}

function file(name: string, content: string | Uint8Array): TarMember {
  return { name, content: Buffer.from(content).toString("latin1") };
}

function descriptor(type: string, bytes: Buffer) {
  return { mediaType: `${ociType}.${type}`, digest: digestOf(bytes), size: bytes.length };
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function blobName(digest: string): string {
  return `blobs/sha256/${digest.slice("sha256:".length)}`;
}
