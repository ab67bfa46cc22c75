import { decompress } from "#layer";
import { nameComponents, nameToText, readTar, type TarEntry } from "#tar";
import { streamOf } from "./tree.ts";

/** What matters of an image that was saved: its files, one line each, and its configuration. */
export interface SavedImage {
  /** By their paths. */
  readonly files: ReadonlyMap<string, string>;
  readonly config: {
    readonly config?: Readonly<Record<string, unknown>>;
    readonly author?: string;
    readonly history?: readonly { readonly created_by?: string; readonly empty_layer?: boolean }[];
  };
}

/** Later times than this are when a build ran. */
const newest = BigInt(Date.parse("2024-01-01T00:00:00Z")) * 1_000_000n;

/** Reads what `docker save` writes, and puts the layers together. */
export async function readSavedImage(archive: Uint8Array): Promise<SavedImage> {
  const members = new Map<string, Buffer>();
  for await (const entry of readTar(streamOf(archive))) {
    if (entry.type === "file") members.set(entry.name, await contentOf(entry));
  }
  const bytes = (name: string) => members.get(name) ?? Buffer.alloc(0);
  const [{ Config: config, Layers: layers }] = JSON.parse(bytes("manifest.json").toString());
  const files = new Map<string, string>();
  for (const layer of layers as readonly string[]) await apply(files, bytes(layer));
  return { files, config: JSON.parse(bytes(config).toString()) };
}

async function contentOf({ body }: TarEntry): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function apply(files: Map<string, string>, layer: Uint8Array): Promise<void> {
  const made = new Map<string, string>();
  for await (const entry of readTar(decompress(streamOf(layer)))) {
    const components = nameComponents(entry.name).map(nameToText);
    const base = components.at(-1) ?? "";
    const above = components.slice(0, -1).join("/");
    if (base === ".wh..wh..opq") removeBelow(files, above);
    else if (base.startsWith(".wh.")) {
      const hidden = [...components.slice(0, -1), base.slice(4)].join("/");
      files.delete(hidden);
      removeBelow(files, hidden);
    } else if (components.length > 0) made.set(components.join("/"), await lineOf(entry));
  }
  for (const [path, line] of made) files.set(path, line);
}

function removeBelow(files: Map<string, string>, directory: string): void {
  for (const path of files.keys()) if (path.startsWith(`${directory}/`)) files.delete(path);
}

/** Type, mode, owner, time, and what is in it: "-" stands for the time of a build. */
async function lineOf(entry: TarEntry): Promise<string> {
  const { type, mode, uid, gid, mtime, linkName, device } = entry;
  const time = mtime > newest ? "-" : new Date(Number(mtime / 1_000_000n)).toISOString();
  const content = await contentOf(entry);
  const inside =
    type !== "file"
      ? nameToText(linkName)
      : content.length > 200
        ? `${content.length} bytes ${Bun.hash(content).toString(16)}`
        : JSON.stringify(content.toString("latin1"));
  const more = [
    ...(device && /character|block/.test(type) ? [`${device.major}:${device.minor}`] : []),
    // dockerd drops those of users.
    ...[...(entry.xattrs ?? [])]
      .filter(([key]) => key.startsWith("security."))
      .map(([key, value]) => `${key}=${Buffer.from(value).toString("hex")}`),
  ];
  return [type, mode.toString(8), `${uid}:${gid}`, time.slice(0, 10), inside, ...more.toSorted()]
    .join(" ")
    .trim();
}
