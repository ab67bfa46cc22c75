import { createHash } from "node:crypto";
import { TarWriter } from "#tar";

const common = { uid: 0, gid: 0, mtime: 1_700_000_000_000_000_000n, linkName: "", mode: 0o644 };

function archive(files: readonly (readonly [string, string | Uint8Array])[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  for (const [name, content] of files) {
    const bytes = Buffer.from(content);
    tar.entry({ ...common, type: "file", name, size: bytes.byteLength }, bytes);
  }
  tar.finish();
  return Buffer.concat(chunks);
}

const hex = (bytes: string | Uint8Array) => createHash("sha256").update(bytes).digest("hex");

/** An archive as `docker save` writes it, of many small images: one layer shared, one of its own each. */
export function crowdArchive(first: number, count: number): Uint8Array {
  const base = archive([["etc/base", "what all of them share\n"]]);
  const files = new Map<string, string | Uint8Array>([[`${hex(base)}.tar`, base]]);
  const manifest = [];
  for (let number = first; number < first + count; number++) {
    const own = archive([[`etc/own-${number}`, `number ${number}\n`]]);
    const config = JSON.stringify({
      architecture: process.arch === "arm64" ? "arm64" : "amd64",
      os: "linux",
      created: new Date(1.7e12 + number * 1000).toISOString(),
      config: { Env: ["PATH=/bin"], Cmd: ["sh"], Labels: { number: String(number) } },
      rootfs: { type: "layers", diff_ids: [base, own].map((layer) => `sha256:${hex(layer)}`) },
      history: [{ created_by: "base" }, { created_by: `number ${number}` }],
    });
    files.set(`${hex(own)}.tar`, own).set(`${hex(config)}.json`, config);
    manifest.push({
      Config: `${hex(config)}.json`,
      RepoTags: [`crowd/image-${number}:latest`],
      Layers: [base, own].map((layer) => `${hex(layer)}.tar`),
    });
  }
  return archive([...files, ["manifest.json", JSON.stringify(manifest)]]);
}
