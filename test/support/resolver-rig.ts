import { createSocket, type Socket as UdpSocket } from "node:dgram";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { Readable } from "node:stream";
import { openHelper, openResolver, type Resolver, type ResolverClient } from "#helper";
import { type Fd, newNetworkNamespace, RouteTable, setLinkUp } from "#kernel";
import type { Answer, Question } from "./dns-asker.ts";
import { enter } from "./namespace.ts";
import { eventually } from "./run-container.ts";

const LOOPBACK = 1;

/** A container's programs that ask, one after another. */
export class Asker implements Disposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(inside: Fd, port: number, address = "127.0.0.11") {
    const script = join(import.meta.dir, "dns-asker.ts");
    this.#child = Bun.spawn(enter(inside, process.execPath, script, address, String(port)), {
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    this.#reader = createInterface({ input: Readable.fromWeb(this.#child.stdout as never) });
    this.#lines = this.#reader[Symbol.asyncIterator]();
  }

  async ready(): Promise<this> {
    await this.#lines.next();
    return this;
  }

  async ask(
    name: string,
    type: Question["type"] = "A",
    more: Partial<Question> = {},
  ): Promise<Answer> {
    this.#child.stdin.write(`${JSON.stringify({ name, type, ...more })}\n`);
    this.#child.stdin.flush();
    const { value } = await this.#lines.next();
    return JSON.parse(value);
  }

  [Symbol.dispose](): void {
    this.#child.kill();
  }
}

/**
 * A name server on the host's loopback: "big.NAME" has an answer of 100 addresses, "mute.NAME" none,
 * "late.NAME" does not exist when it is asked for the first time, all else is 192.0.2.1.
 */
export class Upstream implements Disposable {
  readonly address: "127.0.0.1" | "::1";
  readonly udp: UdpSocket;
  readonly tcp: Server;
  port = 0;
  asked = 0;
  #wasLate = false;

  constructor(address: "127.0.0.1" | "::1" = "127.0.0.1") {
    this.address = address;
    this.udp = createSocket(address === "::1" ? "udp6" : "udp4");
    this.tcp = createServer((connection) => {
      let bytes: Buffer = Buffer.alloc(0);
      connection.on("error", () => undefined);
      connection.on("data", (more: Buffer) => {
        bytes = Buffer.concat([bytes, more]);
        if (bytes.byteLength < 2 || bytes.byteLength < 2 + bytes.readUInt16BE(0)) return;
        const answer = this.answer(bytes.subarray(2), 65535);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer?.byteLength ?? 0);
        if (answer) connection.end(Buffer.concat([length, answer]));
      });
    });
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.tcp.listen(0, this.address, resolve));
    this.port = (this.tcp.address() as { port: number }).port;
    await new Promise<void>((resolve) => this.udp.bind(this.port, this.address, resolve));
    this.udp.on("message", (query, { port, address }) => {
      const answer = this.answer(query, 512);
      if (answer) this.udp.send(answer, port, address);
    });
    return this;
  }

  answer(query: Buffer, room: number): Buffer | undefined {
    this.asked++;
    const first = query.toString("latin1", 13, 13 + (query[12] ?? 0)).toLowerCase();
    if (first === "mute") return undefined;
    let end = 12;
    while (query[end] !== 0) end += 1 + (query[end] ?? 0);
    end += 5;
    const isMissing = first === "late" && !this.#wasLate;
    this.#wasLate ||= isMissing;
    const count = first === "big" ? 100 : isMissing ? 0 : 1;
    const truncated = end + 16 * count > room;
    const header = Buffer.from(query.subarray(0, end));
    header[2] = truncated ? 0x83 : 0x81;
    header[3] = isMissing ? 0x83 : 0x80;
    header.writeUInt16BE(truncated ? 0 : count, 6);
    header.writeUInt16BE(0, 10);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    return Buffer.concat([header, ...(truncated ? [] : Array<Buffer>(count).fill(record))]);
  }

  [Symbol.dispose](): void {
    this.udp.close();
    this.tcp.close();
  }
}

/** A namespace that stands for a container. */
async function namespace(): Promise<Fd> {
  const made = await newNetworkNamespace();
  await new RouteTable({ netns: made }).apply(setLinkUp(LOOPBACK));
  return made;
}

/** A resolver that serves one container, "asker", in the networks "front" and "back". */
export interface ResolverRig extends AsyncDisposable {
  readonly socket: string;
  /** Replaced by `reopen`. */
  readonly resolver: Resolver;
  readonly netns: Fd;
  readonly upstream: Upstream;
  /** Asks by UDP at the port that the container's port 53 leads to. */
  readonly asker: Asker;
  readonly tcpPort: number;
  /** The container, as the resolver is told of it. */
  client(change?: Partial<ResolverClient>): ResolverClient;
  /** As the next engine does after a kill. */
  reopen(): Promise<void>;
}

export async function openResolverRig(): Promise<ResolverRig> {
  const helper = openHelper();
  const root = mkdtempSync("/run/thimble-resolver-");
  const socket = join(root, "dns");
  const upstream = await new Upstream().listen();
  let resolver = await openResolver(helper, socket);
  const netns = await namespace();
  const client = (change: Partial<ResolverClient> = {}): ResolverClient => ({
    id: "asker",
    networks: ["front", "back"],
    forwards: true,
    upstreams: [upstream],
    links: [],
    ...change,
  });
  const { udp, tcp } = await resolver.serve(client(), netns);
  const asker = await new Asker(netns, udp).ready();
  return {
    socket,
    netns,
    upstream,
    asker,
    tcpPort: tcp,
    client,
    get resolver() {
      return resolver;
    },
    async reopen() {
      resolver.close();
      resolver = await openResolver(helper, socket);
    },
    async [Symbol.asyncDispose]() {
      asker[Symbol.dispose]();
      await resolver.quit();
      netns.close();
      upstream[Symbol.dispose]();
      await eventually(() => !existsSync(socket) || undefined, "the resolver's end");
      rmSync(root, { recursive: true });
      await helper.close();
    },
  };
}
