import crypto from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import S3rver from "s3rver";

export interface S3Server extends AsyncDisposable {
  readonly endpoint: string;
  readonly bucket: string;
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

interface Stored {
  readonly bucket: string;
  readonly key: string;
  readonly content: AsyncIterable<Uint8Array> | Buffer;
  readonly metadata: object;
}

interface Found {
  readonly objects: readonly { readonly key: string }[];
  readonly commonPrefixes: readonly string[];
  readonly isTruncated: boolean;
}

/** The server that `THIMBLE_TEST_S3` names ("http://KEY:SECRET@HOST:PORT/BUCKET"), else one of our own. */
export async function findS3Server(): Promise<S3Server> {
  const named = process.env.THIMBLE_TEST_S3;
  if (!named) return await startS3Server();
  const { origin, pathname, username, password } = new URL(named);
  return {
    endpoint: origin,
    bucket: pathname.slice(1),
    credentials: {
      accessKeyId: decodeURIComponent(username),
      secretAccessKey: decodeURIComponent(password),
    },
    [Symbol.asyncDispose]: async () => undefined,
  };
}

/**
 * s3rver, a server of others that speaks S3, in this process. Its HTTP, XML, paging and
 * multipart uploads are its own. Its store answers before an object is written and leaves
 * names out of lists, which S3 does not: those parts are put right here.
 */
async function startS3Server(bucket = "registry"): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), "thimble-s3-"));
  const server = new S3rver({
    address: "127.0.0.1",
    port: 0,
    silent: true,
    directory,
    configureBuckets: [{ name: bucket, configs: [] }],
  });
  const { store } = server;
  store.putObject = async ({ bucket, key, content, metadata }: Stored) => {
    const bytes = await whole(content);
    await writeWhole(store.getResourcePath(bucket, key, "object"), bytes);
    const md5 = md5Of(bytes);
    await store.putMetadata(bucket, key, metadata, md5);
    return { size: bytes.length, md5 };
  };
  store.putPart = async (
    bucket: string,
    uploadId: string,
    partNumber: number,
    content: Stored["content"],
  ) => {
    const bytes = await whole(content);
    const path = join(store.getResourcePath(bucket, undefined, "uploads"), uploadId);
    await writeWhole(join(path, String(partNumber)), bytes);
    const md5 = md5Of(bytes);
    await writeFile(join(path, `${partNumber}.md5`), md5);
    return { size: bytes.length, md5 };
  };
  const listAll = store.listObjects.bind(store);
  store.listObjects = async (name: string, options: ListOptions): Promise<Found> => {
    const all = await listAll(name, { prefix: options.prefix });
    return pageOf(all.objects, options);
  };
  const restoreDes = provideDes();
  const { port } = await server.run();
  return {
    endpoint: `http://127.0.0.1:${port}`,
    bucket,
    credentials: { accessKeyId: "S3RVER", secretAccessKey: "S3RVER" },
    async [Symbol.asyncDispose]() {
      await server.close();
      restoreDes();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

interface ListOptions {
  readonly prefix?: string;
  readonly delimiter?: string;
  readonly startAfter?: string;
  readonly maxKeys?: number;
}

/** A page of ListObjectsV2: keys by their bytes, those with the delimiter as a common prefix. */
function pageOf(all: Found["objects"], options: ListOptions): Found {
  const { prefix = "", delimiter = "", startAfter = "", maxKeys = 1000 } = options;
  const objects: Found["objects"][number][] = [];
  const commonPrefixes = new Set<string>();
  const keys = [...all].sort((a, b) => (a.key < b.key ? -1 : 1));
  for (const object of keys) {
    if (object.key <= startAfter || !object.key.startsWith(prefix)) continue;
    const at = delimiter === "" ? -1 : object.key.indexOf(delimiter, prefix.length);
    if (at >= 0) commonPrefixes.add(object.key.slice(0, at + 1));
    else if (objects.length === maxKeys)
      return { objects, commonPrefixes: [...commonPrefixes], isTruncated: true };
    else objects.push(object);
  }
  return { objects, commonPrefixes: [...commonPrefixes], isTruncated: false };
}

/** s3rver hides the key in its continuation tokens with DES, which no present-day crypto library has. */
function provideDes(): () => void {
  const { createCipheriv, createDecipheriv } = crypto;
  const twice = (half: Uint8Array) => Buffer.concat([half, half]);
  const instead = { cipher: createCipheriv, decipher: createDecipheriv };
  Object.assign(crypto, {
    createCipheriv: (_des: string, key: Uint8Array, iv: Uint8Array) =>
      instead.cipher("aes-128-ctr", twice(key), twice(iv)),
    createDecipheriv: (_des: string, key: Uint8Array, iv: Uint8Array) =>
      instead.decipher("aes-128-ctr", twice(key), twice(iv)),
  });
  return () => Object.assign(crypto, { createCipheriv, createDecipheriv });
}

async function whole(content: Stored["content"]): Promise<Buffer> {
  return Buffer.isBuffer(content) ? content : Buffer.concat(await Array.fromAsync(content));
}

let count = 0;
async function writeWhole(path: string, bytes: Buffer): Promise<void> {
  const temporary = `${path}.${count++}`;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(temporary, bytes);
  await rename(temporary, path);
}

function md5Of(bytes: Buffer): string {
  return new Bun.CryptoHasher("md5").update(bytes).digest("hex");
}
