import type { FileHandle } from "node:fs/promises";
import { defined, Fault } from "#base";

/** The machine that an ELF file is for, and the things that it needs beside itself; see elf(5). */
export interface ElfNeeds {
  /** e_machine: 62 is x86-64, 183 is arm64. */
  readonly machine: number;
  /** Directories in which its libraries are searched first (DT_RUNPATH, DT_RPATH), "$ORIGIN" as it stands. */
  readonly searchPaths: readonly string[];
  /** The dynamic loader (PT_INTERP); absent in static programs and most libraries. */
  readonly loader?: string;
  /** Shared libraries by name (DT_NEEDED). */
  readonly libraries: readonly string[];
}

const limits = { headers: 512, dynamic: 1 << 20, string: 4096, libraries: 1024, paths: 2 };

type Linked = Pick<ElfNeeds, "libraries" | "searchPaths">;
const unlinked: Linked = { libraries: [], searchPaths: [] };

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
const DT_RPATH = 15n;
const DT_RUNPATH = 29n;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: bigint;
  /** Bytes in the file. */
  readonly size: number;
}

/**
 * The needs of a program or library; undefined for a file that is not an ELF program or library
 * (object files and core dumps included). A file that calls itself ELF and has headers that lead
 * nowhere is an `invalid` Fault.
 */
export async function readElf(file: FileHandle, about: string): Promise<ElfNeeds | undefined> {
  const ident = await read(file, 0, 64);
  if (ident.length < 20 || ident.readUInt32BE(0) !== 0x7f454c46) return undefined;
  const reader = new ElfReader(file, ident, about);
  return reader.isProgram ? await reader.needs() : undefined;
}

async function read(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  return buffer.subarray(0, bytesRead);
}

class ElfReader {
  readonly #file: FileHandle;
  readonly #header: Buffer;
  readonly #about: string;
  readonly #wide: boolean;
  readonly #little: boolean;

  constructor(file: FileHandle, header: Buffer, about: string) {
    this.#file = file;
    this.#header = header;
    this.#about = about;
    this.#wide = header[4] === 2;
    this.#little = header[5] === 1;
    if (![1, 2].includes(header[4] ?? 0) || ![1, 2].includes(header[5] ?? 0))
      throw this.#malformed("its class or byte order is unknown");
    if (header.length < (this.#wide ? 64 : 52)) throw this.#malformed("it ends within its header");
  }

  /** Programs and libraries: ET_EXEC and ET_DYN. */
  get isProgram(): boolean {
    return [2, 3].includes(this.#u16(this.#header, 16));
  }

  async needs(): Promise<ElfNeeds> {
    const segments = await this.#segments();
    const interpreter = segments.find(({ type }) => type === PT_INTERP);
    const loader = interpreter === undefined ? undefined : await this.#string(interpreter.offset);
    const dynamic = segments.find(({ type }) => type === PT_DYNAMIC);
    const linked = dynamic === undefined ? unlinked : await this.#dynamic(dynamic, segments);
    return { machine: this.#u16(this.#header, 18), ...defined({ loader }), ...linked };
  }

  async #segments(): Promise<Segment[]> {
    const start = this.#position(this.#word(this.#header, this.#wide ? 32 : 28));
    const each = this.#u16(this.#header, this.#wide ? 54 : 42);
    const count = this.#u16(this.#header, this.#wide ? 56 : 44);
    if (count === 0) return [];
    if (each < (this.#wide ? 56 : 32) || count > limits.headers)
      throw this.#malformed(`it has ${count} program headers of ${each} bytes`);
    const table = await read(this.#file, start, each * count);
    if (table.length < each * count) throw this.#malformed("its program headers are cut short");
    return Array.from({ length: count }, (_, index) => {
      const at = index * each;
      const [offset, address, size] = this.#wide ? [8, 16, 32] : [4, 8, 16];
      return {
        type: this.#u32(table, at),
        offset: this.#position(this.#word(table, at + offset)),
        address: this.#word(table, at + address),
        size: this.#position(this.#word(table, at + size)),
      };
    });
  }

  async #dynamic(dynamic: Segment, segments: readonly Segment[]): Promise<Linked> {
    if (dynamic.size > limits.dynamic) throw this.#malformed("its dynamic section is too large");
    const table = await read(this.#file, dynamic.offset, dynamic.size);
    const step = this.#wide ? 8 : 4;
    const names: bigint[] = [];
    const paths: bigint[] = [];
    let strings: bigint | undefined;
    for (let at = 0; at + 2 * step <= table.length; at += 2 * step) {
      const tag = this.#word(table, at);
      if (tag === 0n) break;
      if (tag === DT_NEEDED) names.push(this.#word(table, at + step));
      else if (tag === DT_STRTAB) strings = this.#word(table, at + step);
      else if (tag === DT_RPATH || tag === DT_RUNPATH) paths.push(this.#word(table, at + step));
    }
    if (names.length + paths.length === 0) return unlinked;
    if (names.length > limits.libraries)
      throw this.#malformed(`it needs ${names.length} libraries`);
    const base = this.#fileOffset(strings, segments);
    const libraries: string[] = [];
    for (const name of names) libraries.push(await this.#string(base + this.#position(name)));
    const searchPaths: string[] = [];
    for (const path of paths.slice(0, limits.paths)) {
      const list = await this.#string(base + this.#position(path));
      searchPaths.push(...list.split(":").filter((each) => each !== ""));
    }
    return { libraries, searchPaths };
  }

  #fileOffset(address: bigint | undefined, segments: readonly Segment[]): number {
    const home = segments.find(
      (segment) =>
        address !== undefined &&
        segment.type === PT_LOAD &&
        address >= segment.address &&
        address < segment.address + BigInt(segment.size),
    );
    if (home === undefined || address === undefined)
      throw this.#malformed("its string table is in no segment");
    return home.offset + Number(address - home.address);
  }

  /** Ends with a NUL byte. */
  async #string(offset: number): Promise<string> {
    const bytes = await read(this.#file, offset, limits.string);
    const end = bytes.indexOf(0);
    if (end < 0) throw this.#malformed("a name in it has no end");
    return bytes.toString("utf8", 0, end);
  }

  /** An offset that can be inside a file. */
  #position(value: bigint): number {
    if (value > BigInt(Number.MAX_SAFE_INTEGER) / 2n)
      throw this.#malformed("an offset in it leads beyond its end");
    return Number(value);
  }

  #u16(buffer: Buffer, at: number): number {
    return this.#little ? buffer.readUInt16LE(at) : buffer.readUInt16BE(at);
  }

  #u32(buffer: Buffer, at: number): number {
    return this.#little ? buffer.readUInt32LE(at) : buffer.readUInt32BE(at);
  }

  /** An address, offset or size of the file's class. */
  #word(buffer: Buffer, at: number): bigint {
    if (!this.#wide) return BigInt(this.#u32(buffer, at));
    return this.#little ? buffer.readBigUInt64LE(at) : buffer.readBigUInt64BE(at);
  }

  #malformed(why: string): Fault {
    return new Fault("invalid", `${this.#about} is a damaged ELF file: ${why}`, {
      about: this.#about,
    });
  }
}
