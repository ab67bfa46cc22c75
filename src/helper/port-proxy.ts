import { Fault } from "#base";
import {
  type Channel,
  type ChildProcess,
  errnoName,
  type Fd,
  openChannel,
  sendDescriptors,
} from "#kernel";
import { encodeFrame, type Frame, FrameReader, PayloadReader } from "./frame.ts";
import { frame as type } from "./tags.ts";

/** A host's port to hold, and where it leads. */
export interface ListenRequest {
  /** Of linux/in.h: 6, 17 or 132. */
  readonly protocol: number;
  /** The container's IPv4 address, four bytes, and its port. */
  readonly target: { readonly address: Uint8Array; readonly port: number };
  /** Any free port from `first` to `last`, looked for from `begin` on. */
  readonly first: number;
  readonly last: number;
  readonly begin: number;
  /** One or two of this host's addresses, of 4 or 16 bytes: the port is free at all of them. */
  readonly addresses: readonly Uint8Array[];
}

/** Why a port is not held: `errno` of the Fault, and the index of the address that failed. */
export class ListenFault extends Fault {
  readonly index: number;

  constructor(errno: string, index: number) {
    super("unavailable", `the port cannot be held: ${errno}`, { errno });
    this.index = index;
  }
}

/**
 * A process that holds ports of the host and forwards what comes to them (native/init/proxy.c). It
 * ends with this program until `hold` has named the process for which it holds them; then it ends
 * with that one. Commands are answered one after another.
 */
export class PortProxy {
  readonly pid: number;
  /** No port is held any more; what the container had sent may still be on its way. Never rejects. */
  readonly released: Promise<void>;
  readonly #socket: Fd;
  readonly #channel: Channel;
  readonly #child: ChildProcess;
  readonly #frames = new FrameReader();
  readonly #waiting: PromiseWithResolvers<number>[] = [];

  constructor(socket: Fd, child: ChildProcess) {
    this.#socket = socket;
    this.#child = child;
    this.#channel = openChannel(socket);
    this.pid = child.pid;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.released = promise;
    this.#channel.onData((bytes) => {
      for (const frame of this.#frames.push(bytes)) this.#take(frame);
    });
    this.#channel.onEnd(() => {
      this.#channel.close();
      const gone = new Fault("unavailable", "the proxy of published ports has ended");
      for (const { reject } of this.#waiting.splice(0)) reject(gone);
      resolve();
    });
  }

  /** Holds a port at all its addresses: the port. A ListenFault when it cannot, and then none is held. */
  listen({ protocol, target, first, last, begin, addresses }: ListenRequest): Promise<number> {
    const words = [
      ...[protocol, word(target.address), target.port, first, last, begin, addresses.length],
      ...addresses.flatMap((each) => [each.byteLength === 4 ? 4 : 6, ...wordsOf(each)]),
    ];
    return this.#ask(encodeFrame(type.LISTEN, ...words), []);
  }

  /**
   * From now on the ports are held until that process (a pidfd) ends, whatever becomes of this
   * program: the proxy reads this before it reads our end.
   */
  hold(process: Fd): void {
    this.#ask(encodeFrame(type.HOLD), [process]).catch(() => undefined);
  }

  /** Ends it and with it all that it forwards. */
  async kill(): Promise<void> {
    const SIGKILL = 9;
    try {
      this.#child.kill(SIGKILL);
    } catch {
      // It has ended by itself.
    }
    await this.#child.exited;
  }

  #ask(command: Uint8Array, fds: readonly Fd[]): Promise<number> {
    const answer = Promise.withResolvers<number>();
    if (!this.#channel.isOpen)
      throw new Fault("unavailable", "the proxy of published ports has ended");
    // So short a message is taken whole or not at all.
    sendDescriptors(this.#socket, command, fds);
    this.#waiting.push(answer);
    return answer.promise;
  }

  #take(frame: Frame): void {
    const payload = new PayloadReader(frame);
    const [number, index] = [payload.u32(), payload.u32()];
    const answer = this.#waiting.shift();
    if (frame.type === type.LISTENING) answer?.resolve(number);
    else answer?.reject(new ListenFault(errnoName(number), index));
  }
}

/** Bytes as the little-endian words in which they keep their order. */
function word(bytes: Uint8Array): number {
  return Buffer.from(bytes).readUInt32LE();
}

function wordsOf(address: Uint8Array): number[] {
  const bytes = Buffer.alloc(16);
  bytes.set(address);
  return [0, 4, 8, 12].map((at) => bytes.readUInt32LE(at));
}
