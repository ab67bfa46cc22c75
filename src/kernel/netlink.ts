import { defined, Fault } from "#base";
import { addon } from "./addon.ts";
import { type Attempt, check, errnoFault } from "./errno.ts";
import { Fd } from "./fd.ts";
import { runJob } from "./reports.ts";

export const NETLINK_ROUTE = 0;
export const NETLINK_NETFILTER = 12;

const NLM_F_REQUEST = 0x001;
export const NLM_F_ACK = 0x004;
export const NLM_F_ECHO = 0x008;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
const NLM_F_DUMP_INTR = 0x010;
const NLM_F_CAPPED = 0x100;
const NLM_F_ACK_TLVS = 0x200;

const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLMSGERR_ATTR_MSG = 1;
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;
const HEADER = 16;

/**
 * The sequence numbers of this process's requests begin behind this one. The kernel's notices of a
 * change carry the number of the request that made it; small numbers, and times of day, which other
 * programs take, are never among ours.
 */
export const FIRST_SEQUENCE = (0x80000000 | ((process.pid & 0x7fff) << 16)) >>> 0;
const SEQUENCES = 1 << 16;

const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/**
 * Writes a message's body: fixed fields, then attributes (netlink(7)), which begin and end at
 * multiples of 4 bytes. Numbers are in the machine's byte order, as rtnetlink has them; the `be`
 * methods write network byte order, as netfilter has it.
 */
export class NetlinkWriter {
  #bytes = Buffer.alloc(256);
  #size = 0;

  #reserve(size: number): number {
    const at = this.#size;
    if (at + size > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(this.#bytes.length * 2, at + size));
      this.#bytes.copy(larger);
      this.#bytes = larger;
    }
    this.#size = at + size;
    return at;
  }

  /** One byte, as it is; the next field is not aligned. */
  u8(value: number): this {
    const at = this.#reserve(1);
    this.#bytes.writeUInt8(value, at);
    return this;
  }

  /** Two bytes in the machine's byte order. */
  u16(value: number): this {
    const at = this.#reserve(2);
    if (little) this.#bytes.writeUInt16LE(value, at);
    else this.#bytes.writeUInt16BE(value, at);
    return this;
  }

  /** Four bytes in the machine's byte order. */
  u32(value: number): this {
    const at = this.#reserve(4);
    if (little) this.#bytes.writeUInt32LE(value >>> 0, at);
    else this.#bytes.writeUInt32BE(value >>> 0, at);
    return this;
  }

  /** Two bytes in network byte order. */
  be16(value: number): this {
    const at = this.#reserve(2);
    this.#bytes.writeUInt16BE(value, at);
    return this;
  }

  /** Four bytes in network byte order. */
  be32(value: number): this {
    const at = this.#reserve(4);
    this.#bytes.writeUInt32BE(value >>> 0, at);
    return this;
  }

  /** Eight bytes in network byte order. */
  be64(value: bigint): this {
    const at = this.#reserve(8);
    this.#bytes.writeBigUInt64BE(value, at);
    return this;
  }

  /** The bytes as they are, without padding. */
  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.byteLength);
    this.#bytes.set(value, at);
    return this;
  }

  /** An attribute whose payload `fill` writes, padded to 4 bytes; `exhausted` above 64 KiB. */
  attribute(type: number, fill: (writer: this) => void): this {
    const start = this.#size;
    this.u16(0).u16(type);
    fill(this);
    const length = this.#size - start;
    if (length > 0xffff) throw new Fault("exhausted", "a netlink attribute is too long");
    if (little) this.#bytes.writeUInt16LE(length, start);
    else this.#bytes.writeUInt16BE(length, start);
    const padding = -length & 3;
    if (padding > 0) this.bytes(new Uint8Array(padding));
    return this;
  }

  /** An attribute whose payload is attributes, marked with NLA_F_NESTED. */
  nested(type: number, fill: (writer: this) => void): this {
    return this.attribute(type | NLA_F_NESTED, fill);
  }

  /** An attribute with a string and its NUL. */
  text(type: number, value: string): this {
    return this.attribute(type, (w) => w.bytes(Buffer.from(`${value}\0`)));
  }

  /** An attribute with a number in the machine's byte order. */
  number(type: number, value: number): this {
    return this.attribute(type, (w) => w.u32(value));
  }

  /** An attribute with a number in network byte order. */
  be32Attribute(type: number, value: number): this {
    return this.attribute(type, (w) => w.be32(value));
  }

  /** The bytes so far, as a view of the writer's own buffer. */
  done(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }
}

/**
 * The attributes in a span by type; the last of a type wins. An attribute that is cut off ends it.
 */
export function readAttributes(bytes: Buffer): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  for (const [type, value] of listAttributes(bytes)) found.set(type, value);
  return found;
}

/**
 * The attributes in order, for lists that have several of one type. An attribute that is cut off
 * ends it.
 */
export function* listAttributes(bytes: Buffer): Generator<[type: number, value: Buffer]> {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < 4 || at + length > bytes.length) return;
    yield [readU16(bytes, at + 2) & NLA_TYPE_MASK, bytes.subarray(at + 4, at + length)];
    at += (length + 3) & ~3;
  }
}

/** The number of 32 bits in the first attribute of a type; 0 without one. For lists of thousands, of which few are read whole. */
export function findNumber(bytes: Buffer, type: number): number {
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < 4) break;
    if (length >= 8 && (readU16(bytes, at + 2) & NLA_TYPE_MASK) === type)
      return readU32(bytes, at + 4);
    at += (length + 3) & ~3;
  }
  return 0;
}

/** An unsigned 16-bit number in the byte order of this machine, as netlink has it. */
function readU16(bytes: Buffer, at = 0): number {
  return little ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at);
}

/** An unsigned 32-bit number in the byte order of this machine, as netlink has it. */
export function readU32(bytes: Buffer, at = 0): number {
  return little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
}

/** The string of an attribute, up to its NUL; "" when there is no attribute. */
export function readText(bytes: Buffer | undefined): string {
  if (bytes === undefined) return "";
  const end = bytes.indexOf(0);
  return bytes.toString("utf8", 0, end < 0 ? bytes.length : end);
}

/** One message to the kernel, and the words for its failure. */
export interface NetlinkRequest {
  readonly type: number;
  /** Besides NLM_F_REQUEST. A request without NLM_F_DUMP should ask for NLM_F_ACK. */
  readonly flags: number;
  readonly body: Uint8Array;
  /** For the Fault: "add the route", "10.0.0.0/8". */
  readonly verb: string;
  readonly about?: string;
}

/** One message of the kernel's answer, without its header. */
export interface NetlinkReply {
  readonly type: number;
  readonly body: Buffer;
}

/** One message of the kernel to those who watch, without its header. */
export interface NetlinkNotice extends NetlinkReply {
  /** Whether this process made the change. */
  readonly isOwn: boolean;
}

/**
 * Netlink messages (netlink(7)) in one buffer, each padded to 4 bytes; their sequence
 * numbers are those behind FIRST_SEQUENCE.
 */
export function encodeRequests(requests: readonly NetlinkRequest[]): Buffer {
  const writer = new NetlinkWriter();
  for (const [index, { type, flags, body }] of requests.entries()) {
    writer
      .u32(HEADER + body.byteLength)
      .u16(type)
      .u16(flags | NLM_F_REQUEST);
    writer
      .u32(FIRST_SEQUENCE + index + 1)
      .u32(0)
      .bytes(body);
    writer.bytes(new Uint8Array(-body.byteLength & 3));
  }
  return writer.done();
}

/** The messages in what was read from a netlink socket, each without its header; one that is cut off ends it. */
export function* listMessages(bytes: Buffer): Generator<NetlinkNotice> {
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = readU32(bytes, at);
    if (length < HEADER || at + length > bytes.length) return;
    const number = readU32(bytes, at + 8) - FIRST_SEQUENCE;
    yield {
      type: readU16(bytes, at + 4),
      body: bytes.subarray(at + HEADER, at + length),
      isOwn: number > 0 && number < SEQUENCES,
    };
    at += (length + 3) & ~3;
  }
}

/**
 * The kernel's table changed while it was read (NLM_F_DUMP_INTR); the request is to be sent again.
 */
export class InterruptedDump extends Error {}

/**
 * The answers of each request, in the order of the requests. The first refusal is a
 * Fault with the kernel's own words (extended ack) where it has any. Echoes without a number, as
 * nf_tables sends them of elements, are with the first request that asked for one.
 */
export function decodeReplies(
  bytes: Buffer,
  requests: readonly NetlinkRequest[],
): NetlinkReply[][] {
  const answers: NetlinkReply[][] = requests.map(() => []);
  const echoes = answers[requests.findIndex(({ flags }) => (flags & NLM_F_ECHO) !== 0)];
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = readU32(bytes, at);
    if (length < HEADER || at + length > bytes.length)
      throw new Fault("internal", "the kernel's netlink answer is cut off");
    const type = readU16(bytes, at + 4);
    const flags = readU16(bytes, at + 6);
    const number = readU32(bytes, at + 8);
    const index = number - FIRST_SEQUENCE - 1;
    const body = bytes.subarray(at + HEADER, at + length);
    at += (length + 3) & ~3;
    if ((flags & NLM_F_DUMP_INTR) !== 0) throw new InterruptedDump();
    const request = requests[index];
    if (type === NLMSG_ERROR || type === NLMSG_DONE) refuse(type, flags, body, request);
    else (number === 0 ? echoes : answers[index])?.push({ type, body });
  }
  return answers;
}

function refuse(type: number, flags: number, body: Buffer, request: NetlinkRequest | undefined) {
  const error = body.length >= 4 ? readU32(body) | 0 : 0;
  if (error === 0) return;
  let extra: Buffer = body.subarray(4);
  if (type === NLMSG_ERROR) {
    // The request comes back before the attributes: its header alone when capped.
    const echoed = (flags & NLM_F_CAPPED) !== 0 ? HEADER : (readU32(body, 4) + 3) & ~3;
    extra = body.subarray(4 + echoed);
  }
  const told =
    (flags & NLM_F_ACK_TLVS) !== 0 ? readText(readAttributes(extra).get(NLMSGERR_ATTR_MSG)) : "";
  const attempt: Attempt = {
    call: "netlink",
    verb: request?.verb ?? "talk to the kernel",
    ...defined({ about: request?.about, detail: told === "" ? undefined : told }),
  };
  throw errnoFault(-error, attempt);
}

/** The namespace whose kernel tables are meant. */
export interface NetlinkOptions {
  /** The network namespace to talk to; our own by default. */
  readonly netns?: Fd;
  /**
   * Keeps one socket, of our own namespace, for all exchanges, which then wait for one another. The
   * end of a socket through which elements or rules of nf_tables were deleted waits some 10 ms for them to
   * be gone, and holds up all other changes.
   */
  readonly keepsSocket?: boolean;
}

/** Exchanges with one protocol of netlink in one namespace. */
export interface Netlink extends Disposable {
  /**
   * Sends the requests in one datagram and gives the answers of each, in the order of the requests.
   * The first refusal is thrown as a Fault with the kernel's own words (extended ack) where it has
   * any. The kernel goes on after a refusal, except in a batch of nftables: requests after the one
   * that failed may have been carried out. `unavailable` when a dump kept changing.
   */
  exchange(requests: readonly NetlinkRequest[]): Promise<NetlinkReply[][]>;
}

/** Requests to the kernel in one namespace; our own by default. */
export interface NetlinkPart {
  readonly netns?: Fd;
  readonly requests: readonly NetlinkRequest[];
}

/**
 * Sends the requests of each part in one datagram, to one namespace after the other, without coming
 * back to JavaScript between them: one trip instead of several. Answers and refusals as those
 * of `Netlink.exchange`, for the requests of all parts in their order; no dumps.
 */
export async function exchangeInTurn(
  protocol: number,
  parts: readonly NetlinkPart[],
): Promise<NetlinkReply[][]> {
  const requests = parts.flatMap((part) => part.requests);
  const bytes = encodeRequests(requests);
  const places = parts.map((part) => ({ ...part, size: encodeRequests(part.requests).length }));
  const result = await send({ protocol, places, bytes, verb: verbOf(requests) });
  return decodeReplies(result, requests);
}

interface Sending {
  readonly protocol: number;
  /** Where how many of the bytes go. */
  readonly places: readonly { readonly netns?: Fd; readonly size: number }[];
  readonly bytes: Buffer;
  readonly verb: string;
  readonly socket?: number;
}

async function send({ protocol, places, bytes, verb, socket = -1 }: Sending): Promise<Buffer> {
  const parts = Int32Array.from(places.flatMap(({ netns, size }) => [netns?.number ?? -1, size]));
  const result = await runJob(
    (id) => addon().netlinkExchange(id, parts, protocol, bytes, socket),
    { call: "sendto", verb },
    () => undefined,
  );
  return Buffer.from(result.bytes ?? []);
}

function verbOf([first]: readonly NetlinkRequest[]): string {
  return first?.verb ?? "talk to the kernel";
}

const DUMP_ATTEMPTS = 8;

/**
 * `protocol` is NETLINK_ROUTE or NETLINK_NETFILTER. The caller keeps `netns` open while it uses
 * this.
 */
export function openNetlink(protocol: number, options: NetlinkOptions = {}): Netlink {
  const kept = options.keepsSocket ? new KeptSocket(protocol) : undefined;
  return {
    [Symbol.dispose]: () => kept?.[Symbol.dispose](),
    async exchange(requests) {
      const bytes = encodeRequests(requests);
      const places = [{ ...defined({ netns: options.netns }), size: bytes.length }];
      const sending = { protocol, places, bytes, verb: verbOf(requests) };
      for (let left = DUMP_ATTEMPTS; ; left--) {
        const result = await (kept
          ? kept.use((socket) => send({ ...sending, socket }))
          : send(sending));
        try {
          return decodeReplies(result, requests);
        } catch (error) {
          if (!(error instanceof InterruptedDump)) throw error;
          if (left === 0)
            throw new Fault("unavailable", "the kernel's tables keep changing while they are read");
        }
      }
    },
  };
}

/** A socket for one exchange after another; after a failure, which may leave answers in it, a new one. */
class KeptSocket implements Disposable {
  readonly #protocol: number;
  #socket: Fd | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(protocol: number) {
    this.#protocol = protocol;
  }

  use<T>(work: (socket: number) => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      this.#socket ??= new Fd(openSocket(this.#protocol, 0));
      try {
        return await work(this.#socket.number);
      } catch (error) {
        this[Symbol.dispose]();
        throw error;
      }
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  [Symbol.dispose](): void {
    this.#socket?.close();
    this.#socket = undefined;
  }
}

/** The number of a socket of our own namespace, from which the notices of these groups (a mask) are read. */
export function openSocket(protocol: number, groups: number): number {
  return check(addon().netlinkSocket(protocol, groups), {
    call: "socket",
    verb: "talk to the kernel",
  });
}
