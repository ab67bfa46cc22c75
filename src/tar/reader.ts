import { defined, Fault } from "#base";
import { readNumber } from "./field.ts";
import {
  blockSize,
  defaultTarLimits,
  nameToText,
  paddingOf,
  showName,
  type TarHeader,
  type TarLimits,
} from "./header.ts";
import {
  checkSum,
  type Extension,
  MalformedHeader,
  readMember,
  storedSize,
  typeFlagOf,
} from "./member.ts";
import { parsePax } from "./pax.ts";
import {
  type Fragment,
  InlineMapReader,
  isSoundMap,
  readOldMap,
  type SparseFormat,
  sparseOfPax,
} from "./sparse.ts";

/** Receives what a TarReader reads, in the order of the archive. */
export interface TarSink {
  /** The next member begins; its content follows, if it has any. */
  entry(header: TarHeader): void;
  /**
   * Content of the member last begun. `offset` is the place in the file; the parts between are
   * holes. The bytes may be reused after the call.
   */
  data(bytes: Buffer, offset: number): void;
  /** The member last begun is complete. */
  end(): void;
}

type State =
  | { readonly at: "header" | "done" }
  | { readonly at: "extended"; readonly flag: string; readonly size: number }
  | { readonly at: "oldMap" | "inlineMap" }
  | { readonly at: "content" | "padding" };

const noExtension: Extension = { records: [], longName: undefined, longLink: undefined };

/**
 * Reads an archive that is pushed to it in chunks of any size: V7, ustar, PAX, and GNU's long
 * names, large numbers and all four sparse formats. Synchronous; it holds one block and one
 * extended header at most. Damage throws `invalid`, a limit `exhausted`, with the member and its
 * place in the archive; the reader must not be used after that. Bytes after the end mark are
 * ignored.
 */
export class TarReader {
  readonly #sink: TarSink;
  readonly #limits: TarLimits;
  #state: State = { at: "header" };
  #extension: Extension = noExtension;
  /** Bytes of the current unit (a block, an extended header) that wait for the rest. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #position = 0;
  /** Where the header block last begun stands, for messages. */
  #start = 0;
  #entries = 0;
  #totalBytes = 0;
  #zeroBlocks = 0;
  /** Bytes of stored content, then of padding, that still come. */
  #left = 0;
  #padding = 0;
  #header: TarHeader | undefined;
  #map: Fragment[] = [];
  #fragment = 0;
  #fragmentDone = 0;
  #inlineMap = new InlineMapReader();

  constructor(sink: TarSink, limits: Partial<TarLimits> = {}) {
    this.#sink = sink;
    this.#limits = { ...defaultTarLimits, ...limits };
  }

  /** Members seen so far. */
  get entries(): number {
    return this.#entries;
  }

  /** Bytes of the files seen so far, holes included. */
  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** Reads on; the sink is called before this returns. */
  push(chunk: Uint8Array): void {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let at = 0;
    while (at < bytes.length && this.#state.at !== "done") {
      const some = bytes.subarray(at);
      const taken = this.#state.at === "content" ? this.#content(some) : this.#unit(some);
      at += taken;
      this.#position += taken;
      this.#settle();
    }
  }

  /**
   * Says that the archive has no more bytes; `invalid` when it is cut off. The end mark may be missing,
   * and what fills up the last file's block, as in the contexts of the docker CLI.
   */
  finish(): void {
    if (this.#state.at === "done") return;
    const isBetween =
      this.#state.at === "header" && this.#heldBytes === 0 && this.#extension === noExtension;
    if (!isBetween && this.#state.at !== "padding")
      throw this.#invalid("the archive is cut off in the middle");
    this.#state = { at: "done" };
  }

  /** Passes content on; gives the bytes taken. */
  #content(bytes: Buffer): number {
    const fragment = this.#map[this.#fragment];
    if (!fragment) return 0;
    const take = Math.min(bytes.length, fragment.length - this.#fragmentDone);
    if (take > 0) {
      this.#sink.data(bytes.subarray(0, take), fragment.offset + this.#fragmentDone);
    }
    this.#fragmentDone += take;
    this.#left -= take;
    if (this.#fragmentDone === fragment.length) {
      this.#fragment++;
      this.#fragmentDone = 0;
    }
    return take;
  }

  /** Collects a block, an extended header or padding and reads it once complete. */
  #unit(bytes: Buffer): number {
    const wanted = this.#unitSize();
    const take = Math.min(bytes.length, wanted - this.#heldBytes);
    if (this.#state.at === "padding") {
      this.#padding -= take;
      return take;
    }
    if (this.#state.at === "header" && this.#heldBytes === 0) this.#start = this.#position;
    const part = bytes.subarray(0, take);
    if (this.#heldBytes === 0 && take === wanted) {
      this.#complete(part);
      return take;
    }
    // The caller may reuse its chunk.
    this.#held.push(Buffer.from(part));
    this.#heldBytes += take;
    if (this.#heldBytes === wanted) {
      const whole = Buffer.concat(this.#held);
      this.#held = [];
      this.#heldBytes = 0;
      this.#complete(whole);
    }
    return take;
  }

  #unitSize(): number {
    if (this.#state.at === "extended") return this.#state.size + paddingOf(this.#state.size);
    return this.#state.at === "padding" ? this.#padding : blockSize;
  }

  /** Leaves content and padding as soon as nothing of them is left. */
  #settle(): void {
    if (this.#state.at === "content" && this.#left === 0) {
      this.#header = undefined;
      this.#sink.end();
      this.#state = { at: "padding" };
    }
    if (this.#state.at === "padding" && this.#padding === 0) this.#state = { at: "header" };
  }

  #complete(unit: Buffer): void {
    switch (this.#state.at) {
      case "extended":
        this.#extend(this.#state.flag, unit.subarray(0, this.#state.size));
        return;
      case "oldMap":
        this.#addOldMap(unit, 0, 21, 504);
        return;
      case "inlineMap":
        this.#addInlineMap(unit);
        return;
      default:
        this.#block(unit);
    }
  }

  #block(block: Buffer): void {
    if (block[0] === 0 && block.equals(zeroBlock)) {
      if (++this.#zeroBlocks === 2) this.#state = { at: "done" };
      return;
    }
    if (this.#zeroBlocks > 0) throw this.#invalid("after a lone block of zeros more follows");
    try {
      checkSum(block);
      this.#headerBlock(block);
    } catch (error) {
      if (!(error instanceof MalformedHeader)) throw error;
      const isFirst = this.#entries === 0 && this.#extension === noExtension;
      throw this.#invalid(isFirst ? `this is not a tar archive: ${error.message}` : error.message);
    }
  }

  #headerBlock(block: Buffer): void {
    const flag = typeFlagOf(block);
    if ("xgLKX".includes(flag)) {
      const size = storedSize(block, noExtension);
      if (size > this.#limits.metadataBytes) {
        throw this.#exhausted(
          `an extended header has ${size} bytes, more than ${this.#limits.metadataBytes}`,
        );
      }
      this.#state = { at: "extended", flag, size };
      if (size === 0) this.#extend(flag, zeroBlock.subarray(0, 0));
      return;
    }
    const extension = this.#extension;
    this.#extension = noExtension;
    const header = readMember(block, extension);
    this.#left = header.size;
    this.#padding = paddingOf(header.size);
    this.#header = header;
    this.#map = [];
    const sparse = header.type === "file" ? sparseOfPax(extension.records) : undefined;
    if (sparse === null) throw this.#invalid("its sparse map is malformed");
    if (sparse) this.#beginSparse(header, sparse);
    else if (flag === "S") this.#beginOldSparse(block, header);
    else this.#begin(header, [{ offset: 0, length: header.size }]);
  }

  #extend(flag: string, bytes: Buffer): void {
    this.#state = { at: "header" };
    // Global records ("g") only ever carry comments in practice; Docker ignores them too.
    if (flag === "g") return;
    if (flag === "x" || flag === "X") {
      const records = parsePax(bytes);
      if (!records) throw this.#invalid("its extended header is malformed");
      this.#extension = { ...this.#extension, records };
      return;
    }
    const nul = bytes.indexOf(0);
    const text = bytes.toString("latin1", 0, nul < 0 ? bytes.length : nul);
    this.#extension = {
      ...this.#extension,
      ...(flag === "L" ? { longName: text } : { longLink: text }),
    };
  }

  #beginSparse(header: TarHeader, format: SparseFormat): void {
    this.#header = { ...header, size: format.size };
    if (format.kind === "pax") {
      this.#begin(this.#header, format.map);
      return;
    }
    this.#inlineMap = new InlineMapReader();
    this.#state = { at: "inlineMap" };
  }

  #addInlineMap(block: Buffer): void {
    const map = this.#inlineMap.add(block);
    if (map === null || this.#inlineMap.bytes > this.#left) {
      throw this.#invalid("its sparse map is malformed");
    }
    if (map === undefined) {
      if (this.#inlineMap.bytes > this.#limits.metadataBytes)
        throw this.#exhausted("its sparse map is too large");
      return;
    }
    this.#left -= this.#inlineMap.bytes;
    if (this.#header) this.#begin(this.#header, map);
  }

  #beginOldSparse(block: Buffer, header: TarHeader): void {
    const size = realSize(block);
    if (size === undefined) throw this.#invalid("its sparse size is malformed");
    this.#header = { ...header, size };
    this.#addOldMap(block, 386, 4, 482);
  }

  #addOldMap(block: Buffer, offset: number, count: number, more: number): void {
    const map = readOldMap(block, offset, count);
    if (!map) throw this.#invalid("its sparse map is malformed");
    this.#map.push(...map);
    if (this.#map.length * 24 > this.#limits.metadataBytes)
      throw this.#exhausted("its sparse map is too large");
    if (block[more] === 1) this.#state = { at: "oldMap" };
    else if (this.#header) this.#begin(this.#header, this.#map);
  }

  #begin(header: TarHeader, map: readonly Fragment[]): void {
    const { entries, nameBytes, totalBytes } = this.#limits;
    if (++this.#entries > entries) throw this.#exhausted(`it has more than ${entries} members`);
    if (header.name === "") throw this.#invalid("its name is empty");
    if (header.name.includes("\0") || header.linkName.includes("\0")) {
      throw this.#invalid("its name holds a NUL");
    }
    if (header.name.length > nameBytes || header.linkName.length > nameBytes) {
      throw this.#exhausted(`a name is longer than ${nameBytes} bytes`);
    }
    this.#totalBytes += header.size;
    if (this.#totalBytes > totalBytes) {
      throw this.#exhausted(`its files have more than ${totalBytes} bytes together`);
    }
    if (!isSoundMap(map, header.size, this.#left))
      throw this.#invalid("its sparse map is malformed");
    this.#map = map.filter(({ length }) => length > 0);
    this.#fragment = 0;
    this.#fragmentDone = 0;
    this.#state = { at: "content" };
    this.#sink.entry(header);
  }

  #describe(why: string): string {
    const name = this.#header ? ` (${showName(this.#header.name)})` : "";
    return `tar archive, member ${this.#entries + (this.#header ? 0 : 1)}${name} at byte ${this.#start}: ${why}`;
  }

  #invalid(why: string): Fault {
    return new Fault("invalid", this.#describe(why), this.#about());
  }

  #exhausted(why: string): Fault {
    return new Fault("exhausted", this.#describe(why), this.#about());
  }

  #about(): { about?: string } {
    return defined({ about: this.#header && nameToText(this.#header.name) });
  }
}

const zeroBlock = Buffer.alloc(blockSize);

/** The whole size of a file in GNU's old sparse format. */
function realSize(block: Buffer): number | undefined {
  const size = readNumber(block, 483, 12);
  if (size === undefined || size < 0n || size > BigInt(Number.MAX_SAFE_INTEGER)) return undefined;
  return Number(size);
}
