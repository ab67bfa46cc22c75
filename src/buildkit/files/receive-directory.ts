import { Fault, limitStalls } from "#base";
import { type Fd, S_IFDIR, S_IFMT, S_IFREG, writeAll } from "#kernel";
import type { Call } from "../grpc/client.ts";
import { type Packet, PacketType } from "../protobuf/file-messages.ts";
import { FileSync } from "../protobuf/session-messages.ts";
import type { ClientSession } from "../session/client-session.ts";
import { headerValues } from "./header-values.ts";
import { EntryCheck, type IncomingEntry } from "./incoming-entry.ts";
import type { ReceivedDirectory } from "./received-directory.ts";

/** What is asked for of a client's directory. */
export interface DirectoryRequest {
  /** The name by which the client knows it, as "context". */
  readonly name: string;
  /** Patterns of .dockerignore of what is sent; none: all. */
  readonly include?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  /** Paths that are sent with what the symbolic links in them lead to; none: all. */
  readonly follow?: readonly string[] | undefined;
  /** Copies for different purposes are kept apart. */
  readonly purpose?: string | undefined;
  readonly signal: AbortSignal;
  /** Hears the bytes that came until now. */
  readonly onBytes?: ((bytes: number) => void) | undefined;
}

const maxEntries = 1_000_000;
/** A client sends four files at a time. */
const maxOpenFiles = 64;
const stallMs = 300_000;

/**
 * Makes a directory equal to one of the client's, in fsutil's protocol: the client lists its files,
 * is asked for those that are not here as it has them, and sends these. A file that shrinks meanwhile
 * is taken as it comes; of one that grows, as much as was announced. Throws `invalid` when the client
 * breaks the rules, `timeout` when it stands still, and what it says went wrong at its side.
 */
export async function receiveDirectory(
  session: ClientSession,
  into: ReceivedDirectory,
  request: DirectoryRequest,
): Promise<void> {
  const { name, include = [], exclude = [], follow = [], signal } = request;
  await using call = session.call(FileSync.diffCopy, {
    signal,
    metadata: headerValues({
      "dir-name": [name],
      "include-patterns": include,
      "exclude-patterns": exclude,
      followpaths: follow,
    }),
  });
  using receiver = new Receiver(call, into, request.onBytes);
  const what = `the transfer of the client's directory ${name}`;
  for await (const packet of limitStalls(call.messages(), stallMs, what)) {
    await receiver.take(packet);
    if (receiver.isOver) return call.end();
  }
  throw new Fault("data_loss", `${what} ended before its end`);
}

/** A file that was asked for. */
interface Arriving {
  readonly entry: IncomingEntry;
  fd?: Fd;
  size: number;
}

class Receiver implements Disposable {
  readonly #call: Call<Packet, Partial<Packet>>;
  readonly #into: ReceivedDirectory;
  readonly #onBytes: (bytes: number) => void;
  readonly #check = new EntryCheck(maxEntries);
  readonly #paths = new Set<string>();
  readonly #directories: IncomingEntry[] = [];
  readonly #links: IncomingEntry[] = [];
  readonly #arriving = new Map<number, Arriving>();
  readonly #asked: number[] = [];
  #asking: Promise<void> | undefined;
  #listed = 0;
  #isListComplete = false;
  #hasEnded = false;
  #openFiles = 0;
  #bytes = 0;
  isOver = false;

  constructor(
    call: Call<Packet, Partial<Packet>>,
    into: ReceivedDirectory,
    onBytes: (bytes: number) => void = () => undefined,
  ) {
    this.#call = call;
    this.#into = into;
    this.#onBytes = onBytes;
  }

  async take(packet: Packet): Promise<void> {
    const { type, stat, id, data } = packet;
    if (type === PacketType.error)
      throw new Fault("invalid", `the client cannot send its files: ${Buffer.from(data)}`);
    if (type === PacketType.end) {
      if (!this.#hasEnded) throw new Fault("data_loss", "the client ended a transfer too early");
      this.isOver = true;
      return;
    }
    if (this.#hasEnded) throw new Fault("invalid", "the client sent files after their end");
    if (type === PacketType.data) await this.#takeData(id, data);
    else if (type !== PacketType.stat)
      throw new Fault("invalid", `the client sent a packet of the type ${type}`);
    else if (this.#isListComplete)
      throw new Fault("invalid", "the client listed a file after the end of its list");
    else if (stat) await this.#takeEntry(this.#check.take(stat), this.#listed++);
    else this.#isListComplete = true;
    if (this.#isListComplete && this.#arriving.size === 0) await this.#finish();
  }

  async #takeEntry(entry: IncomingEntry | undefined, id: number): Promise<void> {
    if (!entry) return;
    this.#paths.add(entry.path);
    const type = entry.mode & S_IFMT;
    if (type === S_IFDIR) {
      await this.#into.makeDirectory(entry);
      this.#directories.push(entry);
    } else if (type === S_IFREG && entry.link !== "") this.#links.push(entry);
    else if (this.#into.has(entry)) return;
    else if (type !== S_IFREG) await this.#into.makeNode(entry);
    else if (entry.size === 0) {
      (await this.#into.create(entry)).close();
      this.#into.finish(entry);
    } else this.#ask(id, entry);
  }

  /** Never waits for the client: it sends files while it is asked for more. */
  #ask(id: number, entry: IncomingEntry): void {
    this.#arriving.set(id, { entry, size: 0 });
    this.#asked.push(id);
    this.#asking ??= this.#sendAsked();
  }

  async #sendAsked(): Promise<void> {
    try {
      for (let id = this.#asked.shift(); id !== undefined; id = this.#asked.shift())
        await this.#call.send({ type: PacketType.request, id });
    } catch {
      // The call is over, which whoever reads its messages learns.
    }
    this.#asking = undefined;
  }

  async #takeData(id: number, data: Uint8Array): Promise<void> {
    const file = this.#arriving.get(id);
    if (!file) throw new Fault("invalid", "the client sent a file that it was not asked for");
    if (!file.fd) {
      if (this.#openFiles >= maxOpenFiles)
        throw new Fault("invalid", `the client sent more than ${maxOpenFiles} files at a time`);
      file.fd = await this.#into.create(file.entry);
      this.#openFiles += 1;
    }
    this.#bytes += data.byteLength;
    this.#onBytes(this.#bytes);
    if (data.byteLength > 0) {
      const wanted = data.subarray(0, file.entry.size - file.size);
      writeAll(file.fd, wanted);
      file.size += wanted.byteLength;
      return;
    }
    file.fd.close();
    this.#openFiles -= 1;
    this.#into.finish(file.entry, file.size);
    this.#arriving.delete(id);
  }

  async #finish(): Promise<void> {
    await this.#into.keepOnly(this.#paths);
    for (const link of this.#links) await this.#into.makeNode(link);
    for (const directory of this.#directories.reverse()) this.#into.finish(directory);
    this.#hasEnded = true;
    await this.#call.send({ type: PacketType.end });
  }

  [Symbol.dispose](): void {
    for (const { fd } of this.#arriving.values()) fd?.close();
  }
}
