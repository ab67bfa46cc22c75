import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, gzipSync } from "node:zlib";
import { TarWriter } from "#tar";

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform?: { readonly os: string; readonly architecture: string };
  readonly annotations?: Readonly<Record<string, string>>;
}

export const ociTypes = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
  config: "application/vnd.oci.image.config.v1+json",
  tar: "application/vnd.oci.image.layer.v1.tar",
  gzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  zstd: "application/vnd.oci.image.layer.v1.tar+zstd",
};

export const sha256Of = (bytes: string | Uint8Array) =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

const architecture = process.arch === "arm64" ? "arm64" : "amd64";
const common = { uid: 0, gid: 0, mtime: 1_700_000_000_000_000_000n, linkName: "", mode: 0o644 };

/** A tar of one file. */
export function fileTar(name: string, content: string): Buffer {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes.slice()));
  const bytes = Buffer.from(content);
  tar.entry({ ...common, type: "file", name, size: bytes.byteLength }, bytes);
  tar.finish();
  return Buffer.concat(chunks);
}

/** The same as a stream of several gzip members, the last an empty one with a table's offset, as eStargz ends. */
export function asStargz(tar: Uint8Array): Buffer {
  const head = gzipSync(tar.subarray(0, 512));
  const rest = gzipSync(tar.subarray(512));
  return Buffer.concat([head, rest, footer(head.length)]);
}

/** eStargz's last 51 bytes: a gzip member of nothing whose extra field names an offset (estargz.md, "Footer"). */
function footer(offset: number): Buffer {
  const extra = Buffer.from(
    `SG\u0016\u0000${offset.toString(16).padStart(16, "0")}STARGZ`,
    "latin1",
  );
  const header = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff, extra.length, 0]);
  const nothing = Buffer.from([1, 0, 0, 0xff, 0xff]);
  const end = Buffer.alloc(8);
  end.writeUInt32LE(crc32(""), 0);
  return Buffer.concat([header, extra, nothing, end]);
}

/** Writes an OCI layout by hand, piece by piece (image-spec, image-layout.md). */
export class HandmadeLayout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(join(directory, "blobs/sha256"), { recursive: true });
    writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  }

  blob(mediaType: string, bytes: string | Uint8Array): Descriptor {
    const digest = sha256Of(bytes);
    writeFileSync(join(this.directory, "blobs", digest.replace(":", "/")), bytes);
    return { mediaType, digest, size: Buffer.byteLength(bytes) };
  }

  document(mediaType: string, value: object): Descriptor {
    return this.blob(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, ...value }));
  }

  config(tars: readonly Uint8Array[], extra: object = {}): Descriptor {
    const value = {
      architecture,
      os: "linux",
      config: { Cmd: ["sh"], Env: ["PATH=/bin"] },
      rootfs: { type: "layers", diff_ids: tars.map(sha256Of) },
      ...extra,
    };
    return this.blob(ociTypes.config, JSON.stringify(value));
  }

  /** An image of layers given as their tar and as their stored bytes. */
  image(layers: readonly { tar: Uint8Array; type: string; bytes: Uint8Array }[]): Descriptor {
    const config = this.config(layers.map(({ tar }) => tar));
    const stored = layers.map(({ type, bytes }) => this.blob(type, bytes));
    const manifest = this.document(ociTypes.manifest, { config, layers: stored });
    return { ...manifest, platform: { os: "linux", architecture } };
  }

  /** Ends the layout. */
  index(...manifests: readonly Descriptor[]): void {
    const value = { schemaVersion: 2, mediaType: ociTypes.index, manifests };
    writeFileSync(join(this.directory, "index.json"), JSON.stringify(value));
  }
}

export function named(descriptor: Descriptor, name: string): Descriptor {
  return { ...descriptor, annotations: { "org.opencontainers.image.ref.name": name } };
}
