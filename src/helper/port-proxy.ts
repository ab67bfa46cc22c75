import { Fault } from "#base";
import {
  type Channel,
  connectUnix,
  errnoName,
  type Fd,
  openChannel,
  sendDescriptors,
} from "#kernel";
import { encodeFrame, type Frame, FrameReader, PayloadReader } from "./frame.ts";
import { frame as type } from "./tags.ts";

/** A proxy that is stopped, or hangs, serves nobody: it is ended. */
const patienceMs = 10_000;

/** Of a few hundred bytes each: so many are taken whole or not at all. */
const commandsAtOnce = 32;

/** A host's port to hold, and where it leads. */
export interface ListenRequest {
  /** Of linux/in.h: 6, 17 or 132. */
  readonly protocol: number;
  /** The container's address, 4 or 16 bytes, and its port. */
  readonly target: { readonly address: Uint8Array; readonly port: number };
  /** Any free port from `first` to `last`, looked for from `begin` on. */
  readonly first: number;
  readonly last: number;
  readonly begin: number;
  /** One or two of this host's addresses, of 4 or 16 bytes: the port is free at all of them. */
  readonly addresses: readonly Uint8Array[];
}

/** A port of the host at one of its addresses, of 4 or 16 bytes. */
export interface ListeningPort {
  /** Of linux/in.h. */
  readonly protocol: number;
  readonly port: number;
  readonly address: Uint8Array;
}

/** What has come to a port since it is held; of UDP, a client is an address that was heard of lately. */
export interface PortTraffic {
  readonly clientsNow: number;
  readonly clients: bigint;
  readonly bytesIn: bigint;
  readonly bytesOut: bigint;
}

/** The process that is a proxy. */
export interface ProxyProcess {
  readonly pid: number;
  /** Ends it by force; resolves once it is gone. */
  kill(): Promise<void>;
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
 * with that one. Commands are answered one after another; once it has ended they are `unavailable`.
 */
export class PortProxy {
  readonly pid: number;
  /** No port is held any more; what the container had sent may still be on its way. Never rejects. */
  readonly released: Promise<void>;
  readonly #socket: Fd;
  readonly #channel: Channel;
  readonly #process: ProxyProcess;
  readonly #frames = new FrameReader();
  /** For the answers to all commands in their order, those that are not sent yet included. */
  readonly #waiting: PromiseWithResolvers<Frame>[] = [];
  readonly #unsent: Uint8Array[] = [];

  constructor(socket: Fd, process: ProxyProcess) {
    this.#socket = socket;
    this.#process = process;
    this.#channel = openChannel(socket);
    this.pid = process.pid;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.released = promise;
    this.#channel.onData((bytes) => {
      for (const frame of this.#frames.push(bytes)) this.#take(frame);
    });
    this.#channel.onEnd(() => {
      this.#channel.close();
      for (const { reject } of this.#waiting.splice(0)) reject(gone());
      resolve();
    });
  }

  /**
   * Holds a port at all its addresses: the port. A ListenFault when it cannot, and then none is
   * held. After `hold` it goes with this connection until `confirm`.
   */
  async listen({
    protocol,
    target,
    first,
    last,
    begin,
    addresses,
  }: ListenRequest): Promise<number> {
    const words = [
      ...[protocol, ...addressWords(target.address), target.port, first, last, begin],
      ...[addresses.length, ...addresses.flatMap(addressWords)],
    ];
    return new PayloadReader(await this.#ask(encodeFrame(type.LISTEN, ...words))).u32();
  }

  /**
   * From now on the ports are held until that process (a pidfd) ends, whatever becomes of this
   * program: the proxy reads this before it reads our end. `control` is a unix socket that listens,
   * where a later program connects (`connectProxy`).
   */
  hold(process: Fd, control: Fd): void {
    this.#ask(encodeFrame(type.HOLD), [process, control]).catch(() => undefined);
  }

  /** The ports that were added after `hold` stay when this connection ends. */
  async confirm(): Promise<void> {
    await this.#ask(encodeFrame(type.CONFIRM));
  }

  /** Takes no more clients at a port; those that it has stay. A ListenFault of ENOENT where it is not held. */
  async unlisten(port: ListeningPort): Promise<void> {
    await this.#ask(encodeFrame(type.UNLISTEN, ...nameOf(port)));
  }

  /** Leads all ports to another address of the container; streams that are open stay where they are. */
  async retarget(address: Uint8Array): Promise<void> {
    await this.#ask(encodeFrame(type.RETARGET, ...addressWords(address)));
  }

  /** What has come to a port; undefined where it is not held. */
  async count(port: ListeningPort): Promise<PortTraffic | undefined> {
    try {
      const answer = new PayloadReader(await this.#ask(encodeFrame(type.COUNT, ...nameOf(port))));
      return {
        clientsNow: answer.u32(),
        clients: answer.u64(),
        bytesIn: answer.u64(),
        bytesOut: answer.u64(),
      };
    } catch (error) {
      if (error instanceof ListenFault && error.errno === "ENOENT") return undefined;
      throw error;
    }
  }

  /** Ends it and with it all that it forwards. */
  kill(): Promise<void> {
    return this.#process.kill();
  }

  /** Lets go of it: ports that a process holds stay. */
  close(): void {
    this.#channel.close();
  }

  async #ask(command: Uint8Array, fds: readonly Fd[] = []): Promise<Frame> {
    const answer = Promise.withResolvers<Frame>();
    if (!this.#channel.isOpen) throw gone();
    if (fds.length > 0) {
      this.#flush();
      sendDescriptors(this.#socket, command, fds);
    } else if (this.#unsent.push(command) === 1) queueMicrotask(() => this.#flush());
    this.#waiting.push(answer);
    const patience = setTimeout(() => void this.kill(), patienceMs).unref();
    const enough = () => clearTimeout(patience);
    answer.promise.then(enough, enough);
    return answer.promise;
  }

  /** Commands of one moment go together, since each message takes the processor for the proxy. */
  #flush(): void {
    while (this.#unsent.length > 0) {
      const commands = this.#unsent.splice(0, commandsAtOnce);
      try {
        sendDescriptors(this.#socket, Buffer.concat(commands), []);
      } catch (error) {
        const first = this.#waiting.length - commands.length - this.#unsent.length;
        for (const { reject } of this.#waiting.splice(first, commands.length)) reject(error);
      }
    }
  }

  #take(frame: Frame): void {
    const answer = this.#waiting.shift();
    if (frame.type === type.ERROR) answer?.reject(listenFault(new PayloadReader(frame)));
    else answer?.resolve(frame);
  }
}

/** The proxy that listens at the path of its control socket; `not_found` or `unavailable` where none does. */
export function connectProxy(path: string, process: ProxyProcess): PortProxy {
  return new PortProxy(connectUnix(path), process);
}

function listenFault(payload: PayloadReader): ListenFault {
  const number = payload.u32();
  return new ListenFault(errnoName(number), payload.u32());
}

function gone(): Fault {
  return new Fault("unavailable", "the proxy of published ports has ended");
}

function nameOf({ protocol, port, address }: ListeningPort): number[] {
  return [protocol, port, ...addressWords(address)];
}

/** The version and 16 bytes, as the little-endian words in which these keep their order. */
function addressWords(address: Uint8Array): number[] {
  const bytes = Buffer.alloc(16);
  bytes.set(address);
  return [address.byteLength === 4 ? 4 : 6, ...[0, 4, 8, 12].map((at) => bytes.readUInt32LE(at))];
}
