import { readFileSync } from "node:fs";
import { isIP, isIPv4 } from "node:net";
import { Fault, isFault, poll } from "#base";
import {
  type Channel,
  connectUnix,
  type Fd,
  openChannel,
  peerCredentials,
  sendDescriptors,
} from "#kernel";
import { encodeFrame, type Frame, FrameReader, PayloadReader } from "./frame.ts";
import type { Helper } from "./helper.ts";
import { launchFault, readLaunchError } from "./launch-error.ts";
import { dnsProtocolVersion, frame as type } from "./tags.ts";

/** A container in a network, under names. */
export interface ResolverEndpoint {
  /** At most 64 bytes; the endpoint's id. */
  readonly id: string;
  /** At most 64 bytes; a client that sees one endpoint of a network sees all of them. */
  readonly network: string;
  /** "10.1.0.2" */
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** At most 256, without a last dot. The first one is given for the address (PTR) and for ports (SRV). */
  readonly names: readonly string[];
  /** The ports that it offers, at most 256: "_80._tcp.NAME" and "_tcp.NAME" lead there. */
  readonly ports?: readonly ResolverPort[];
}

interface ResolverPort {
  readonly port: number;
  readonly protocol: "tcp" | "udp" | "sctp";
}

/** A container that asks. */
export interface ResolverClient {
  /** At most 64 bytes. */
  readonly id: string;
  /** The networks whose names it sees, at most 128. */
  readonly networks: readonly string[];
  /** Whether other names are asked of `upstreams`; else they do not exist. */
  readonly forwards: boolean;
  /** At most 8 name servers, as this process reaches them; the first one that answers counts. */
  readonly upstreams: readonly { readonly address: string; readonly port: number }[];
  /** Names for this container alone, and the names that they stand for. */
  readonly links: readonly (readonly [alias: string, name: string])[];
}

/** Where the resolver listens inside a container's namespace, at 127.0.0.11: port 53 is to lead there. */
export interface ResolverPorts {
  readonly udp: number;
  readonly tcp: number;
}

/** The process of a resolver, and how long it may take for an answer: 10 seconds by default. */
interface ResolverProcess {
  readonly pid: number;
  readonly patienceMs?: number | undefined;
}

/** The clients of the resolver, and its work since it was started. */
export interface ResolverStatus {
  /** Of the process that answers, and of the one that makes its sockets. */
  readonly pid: number;
  readonly brokerPid: number;
  readonly clients: number;
  readonly endpoints: number;
  /** Questions that were answered here, that were passed on, and that were dropped since too many waited. */
  readonly answered: bigint;
  readonly forwarded: bigint;
  readonly refused: bigint;
}

const maxTexts = 256;
const SIGKILL = 9;
const protocolNumbers = { tcp: 6, udp: 17, sctp: 132 } as const;

/**
 * The resolver of an engine's containers (mode dns of native/init), which goes on while no engine
 * runs. Its settings hold until they are changed; commands are carried out in order, each between
 * two questions and never during one. Names are compared without regard to case.
 */
export class Resolver implements Disposable {
  /** Settles when the connection is over, whichever end closed it. Never rejects. */
  readonly closed: Promise<void>;
  readonly #channel: Channel;
  readonly #socket: Fd;
  readonly #reader = new FrameReader();
  readonly #over = Promise.withResolvers<void>();
  readonly #pid: number;
  readonly #patienceMs: number;
  readonly #waiting: PromiseWithResolvers<Frame>[] = [];
  /** The last command has been sent. */
  #sent: Promise<unknown> = Promise.resolve();

  /** `pid` is the process at the other end; one that does not answer a command within `patienceMs` is killed. */
  constructor(socket: Fd, { pid, patienceMs = 10_000 }: ResolverProcess) {
    this.#socket = socket;
    this.#pid = pid;
    this.#patienceMs = patienceMs;
    this.#channel = openChannel(socket);
    this.closed = this.#over.promise;
    this.#channel.onData((bytes) => this.#receive(bytes));
    this.#channel.onEnd(() => this.close());
  }

  /** False after its end, and after `close`. */
  get isOpen(): boolean {
    return this.#channel.isOpen;
  }

  /** Its greeting; `conflict` when it speaks another version of the protocol. */
  async greeted(): Promise<void> {
    const version = new PayloadReader(await this.#nextFrame()).u32();
    if (version !== dnsProtocolVersion)
      throw new Fault(
        "conflict",
        `the resolver speaks protocol ${version}, not ${dnsProtocolVersion}`,
      );
  }

  /** Begins anew: settings that are not sent again before `commit` are dropped by it. */
  async begin(): Promise<void> {
    await this.#ask(type.DNS_BEGIN);
  }

  /** Drops the settings that were not sent again since `begin`. */
  async commit(): Promise<void> {
    await this.#ask(type.DNS_COMMIT);
  }

  /** Adds an endpoint, or replaces the one of this id. `invalid` for a name that no question can have. */
  async setEndpoint({
    id,
    network,
    ipv4,
    ipv6,
    names,
    ports = [],
  }: ResolverEndpoint): Promise<void> {
    const payload = [
      text(id),
      text(network),
      text(ipv4 === undefined ? "" : addressBytes(ipv4)),
      text(ipv6 === undefined ? "" : addressBytes(ipv6)),
      list(names.map(nameText)),
      list(ports.map(({ port, protocol }) => numbers(port, protocolNumbers[protocol]))),
    ];
    await this.#ask(type.DNS_ENDPOINT, payload);
  }

  /** Its names are unknown from now on; does nothing for an id that is unknown. */
  async dropEndpoint(id: string): Promise<void> {
    await this.#ask(type.DNS_DROP_ENDPOINT, [Buffer.from(id)]);
  }

  /** Serves a container in its network namespace, which stays the caller's to close. */
  async serve(client: ResolverClient, netns: Fd): Promise<ResolverPorts> {
    const payload = new PayloadReader(
      await this.#ask(type.DNS_CLIENT, clientPayload(client), netns),
    );
    return { udp: payload.u32(), tcp: payload.u32() };
  }

  /** Changes the view of a container that is served; `not_found` for any other. */
  async update(client: ResolverClient): Promise<void> {
    await this.#ask(type.DNS_CLIENT, clientPayload(client));
  }

  /** Lets go of a container and of its namespace. */
  async drop(id: string): Promise<void> {
    await this.#ask(type.DNS_DROP_CLIENT, [Buffer.from(id)]);
  }

  /** Asks for the state now. */
  async status(): Promise<ResolverStatus> {
    const payload = new PayloadReader(await this.#ask(type.DNS_STATUS));
    payload.u32();
    return {
      pid: payload.u32(),
      brokerPid: payload.u32(),
      clients: payload.u32(),
      endpoints: payload.u32(),
      answered: payload.u64(),
      forwarded: payload.u64(),
      refused: payload.u64(),
    };
  }

  /** Ends the resolver itself, and resolves when its processes are gone. */
  async quit(): Promise<void> {
    const { pid, brokerPid } = await this.status();
    await this.#ask(type.DNS_QUIT);
    this.close();
    await poll(() => [pid, brokerPid].every(hasEnded), { attempts: 200, base: 1, max: 10 });
  }

  /** Ends this connection; the resolver goes on while it has clients. */
  close(): void {
    this.#channel.close();
    for (const { reject } of this.#waiting.splice(0)) reject(gone());
    this.#over.resolve();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #receive(bytes: Uint8Array): void {
    try {
      for (const frame of this.#reader.push(bytes)) {
        const answer = this.#waiting.shift();
        if (frame.type === type.ERROR) answer?.reject(launchFault(readLaunchError(frame)));
        else answer?.resolve(frame);
      }
    } catch {
      this.close();
    }
  }

  async #ask(command: number, payload: readonly Buffer[] = [], fd?: Fd): Promise<Frame> {
    const sent = this.#sent.then(() => this.#send(command, Buffer.concat(payload), fd));
    this.#sent = sent.catch(() => undefined);
    return await (await sent).answer;
  }

  /** The answer comes wrapped, so that the next command is sent before it is there. */
  async #send(
    command: number,
    payload: Buffer,
    fd: Fd | undefined,
  ): Promise<{ readonly answer: Promise<Frame> }> {
    // What still waits to be written would come after a descriptor.
    if (fd && this.#channel.pending > 0)
      await Promise.allSettled(this.#waiting.map(({ promise }) => promise));
    if (!this.#channel.isOpen) throw gone();
    const answer = this.#nextFrame();
    answer.catch(() => undefined);
    const header = Buffer.from(encodeFrame(command));
    header.writeUInt32LE(payload.byteLength, 4);
    const bytes = Buffer.concat([header, payload]);
    const sent = fd ? sendDescriptors(this.#socket, bytes, [fd]) : 0;
    if (sent < bytes.byteLength) this.#channel.write(bytes.subarray(sent));
    return { answer };
  }

  /** One that was stopped would hold up every start of a container for ever. */
  async #nextFrame(): Promise<Frame> {
    const frame = Promise.withResolvers<Frame>();
    this.#waiting.push(frame);
    const giveUp = setTimeout(() => {
      kill(this.#pid);
      this.close();
    }, this.#patienceMs).unref();
    try {
      return await frame.promise;
    } finally {
      clearTimeout(giveUp);
    }
  }
}

/**
 * The resolver that listens at a path of at most 107 bytes: one that an earlier engine has started, or a new one.
 * An earlier one keeps what it knows until `begin` and `commit`; one of another protocol, and one that does not
 * answer, is replaced.
 */
export async function openResolver(
  helper: Helper,
  path: string,
  { patienceMs }: Pick<ResolverProcess, "patienceMs"> = {},
): Promise<Resolver> {
  const known = await findResolver(path, { patienceMs });
  if (known) return known;
  const { socket, pid } = helper.startResolver(path);
  const resolver = new Resolver(socket, { pid, patienceMs });
  await resolver.greeted();
  return resolver;
}

/** The resolver that listens at a path, if there is one that answers and speaks our protocol; one that does not is ended. */
export async function findResolver(
  path: string,
  { patienceMs }: Pick<ResolverProcess, "patienceMs"> = {},
): Promise<Resolver | undefined> {
  let resolver: Resolver;
  try {
    const socket = connectUnix(path);
    resolver = new Resolver(socket, { pid: peerCredentials(socket).pid, patienceMs });
  } catch (error) {
    if (isFault(error, "not_found") || isFault(error, "unavailable")) return undefined;
    throw error;
  }
  try {
    await resolver.greeted();
    return resolver;
  } catch (error) {
    if (isFault(error, "conflict")) await resolver.quit().catch(() => undefined);
    resolver.close();
    return undefined;
  }
}

/** It takes the process that answers with it. */
function kill(pid: number): void {
  try {
    process.kill(pid, SIGKILL);
  } catch {
    // It has ended this very moment.
  }
}

/** A zombie that its parent has not looked at yet has ended, too. */
function hasEnded(pid: number): boolean {
  try {
    return /^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return true;
  }
}

function gone(): Fault {
  return new Fault("unavailable", "the resolver of containers has ended");
}

function text(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value as string);
  if (bytes.byteLength > 0xffff) throw new Fault("invalid", "a text for the resolver is too long");
  return Buffer.concat([numbers(bytes.byteLength), bytes]);
}

function list(items: readonly Buffer[]): Buffer {
  if (items.length > maxTexts)
    throw new Fault("invalid", `the resolver takes at most ${maxTexts} names of one container`);
  return Buffer.concat([numbers(items.length), ...items]);
}

/** Of 16 bits each. */
function numbers(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16LE(value, 2 * index);
  return bytes;
}

function nameText(name: string): Buffer {
  const lower = name.toLowerCase();
  const labels = lower.split(".");
  const fits =
    lower.length < 254 && labels.every((label) => /^[\x21-\x2d\x2f-\x7e]{1,63}$/.test(label));
  if (!fits) throw new Fault("invalid", `"${name}" cannot be the name of a host`, { about: name });
  return text(lower);
}

/** The 4 or 16 bytes of an address. */
function addressBytes(address: string): Buffer {
  if (isIPv4(address)) return Buffer.from(address.split(".").map(Number));
  if (isIP(address) !== 6 || address.includes("%"))
    throw new Fault("invalid", `"${address}" is not an IP address`, { about: address });
  const [head = "", tail] = withoutDots(address).split("::");
  const groups = (part: string) => part.split(":").filter(Boolean);
  const [before, after] = [groups(head), groups(tail ?? "")];
  const zeros = tail === undefined ? 0 : 8 - before.length - after.length;
  const all = [...before, ...Array<string>(zeros).fill("0"), ...after];
  return Buffer.concat(all.map((group) => Buffer.from(group.padStart(4, "0"), "hex")));
}

/** "::ffff:1.2.3.4" with its last four bytes as two groups. */
function withoutDots(address: string): string {
  const dotted = /\d+\.\d+\.\d+\.\d+$/.exec(address)?.[0];
  if (dotted === undefined) return address;
  const hex = Buffer.from(dotted.split(".").map(Number)).toString("hex");
  return `${address.slice(0, -dotted.length)}${hex.slice(0, 4)}:${hex.slice(4)}`;
}

function clientPayload(client: ResolverClient): readonly Buffer[] {
  const upstreams = client.upstreams.map(({ address, port }) =>
    Buffer.concat([numbers(port), text(addressBytes(address))]),
  );
  const links = client.links.map(([alias, name]) =>
    Buffer.concat([nameText(alias), nameText(name)]),
  );
  return [
    text(client.id),
    numbers(client.forwards ? 1 : 0),
    list(client.networks.map((id) => text(id))),
    list(upstreams),
    list(links),
  ];
}
