import { readdir } from "node:fs/promises";
import { Fault } from "#base";
import {
  descriptorPath,
  type Fd,
  fstatat,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_PATH,
  openat2,
  openRegularFile,
  readInto,
  readlinkat,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
} from "#kernel";
import type { Call } from "../grpc/client.ts";
import { type Packet, PacketType, type Stat } from "../protobuf/file-messages.ts";
import { modeToGo } from "./go-mode.ts";

const pieceBytes = 64 << 10;

/** The other side of fsutil's protocol: lists a directory, and sends the files that are asked for. */
export async function sendDirectory(
  call: Call<Packet, Partial<Packet>>,
  path: string,
): Promise<void> {
  using root = openat2(undefined, path, { flags: O_PATH | O_DIRECTORY });
  const files = new Map<number, string>();
  const listed = list(call, root, files);
  listed.catch(() => undefined);
  for await (const { type, id, data } of call.messages()) {
    if (type === PacketType.error)
      throw new Fault("invalid", `the client cannot take the files: ${Buffer.from(data)}`);
    if (type === PacketType.request) await sendFile(call, { root, id, path: files.get(id) });
    if (type !== PacketType.end) continue;
    await listed;
    await call.send({ type: PacketType.end });
    call.end();
  }
  await listed;
}

/** Sends what there is, and notes under which number each file with content is asked for. */
async function list(
  call: Call<Packet, Partial<Packet>>,
  root: Fd,
  files: Map<number, string>,
): Promise<void> {
  let count = 0;
  for await (const entry of walk(root, "")) {
    if (entry.isFile) files.set(count, entry.stat.path);
    count += 1;
    await call.send({ type: PacketType.stat, stat: entry.stat });
  }
  await call.send({ type: PacketType.stat, stat: undefined });
}

interface Listed {
  readonly stat: Stat;
  readonly isFile: boolean;
}

/** Each directory before what is in it, names in the order of their bytes, as fsutil demands. */
async function* walk(directory: Fd, prefix: string): AsyncGenerator<Listed, void> {
  const names = await readdir(descriptorPath(directory));
  for (const name of names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
    const found = fstatat(directory, name, false);
    const type = found.mode & S_IFMT;
    const isFile = type === S_IFREG;
    const { uid, gid, rdev } = found;
    const stat = {
      ...{ uid, gid, path: prefix + name, mode: modeToGo(found.mode), modTime: found.mtime },
      size: isFile ? BigInt(found.size) : 0n,
      linkname: type === S_IFLNK ? readlinkat(directory, name) : "",
      ...{ devmajor: BigInt(rdev.major), devminor: BigInt(rdev.minor), xattrs: new Map() },
    };
    yield { stat, isFile };
    if (type !== S_IFDIR) continue;
    using below = openat2(directory, name, { flags: O_PATH | O_DIRECTORY | O_NOFOLLOW });
    yield* walk(below, `${prefix}${name}/`);
  }
}

async function sendFile(
  call: Call<Packet, Partial<Packet>>,
  file: { readonly root: Fd; readonly id: number; readonly path: string | undefined },
): Promise<void> {
  const { root, id, path } = file;
  if (path === undefined) throw new Fault("invalid", `the client asked for a file ${id} of none`);
  using fd = openRegularFile(root, path);
  const piece = Buffer.allocUnsafe(pieceBytes);
  for (let size = fd ? readInto(fd, piece) : 0; fd && size > 0; size = readInto(fd, piece))
    await call.send({ type: PacketType.data, id, data: piece.subarray(0, size) });
  await call.send({ type: PacketType.data, id });
}
