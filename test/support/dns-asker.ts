/**
 * Asks a name server from inside a network namespace: questions come as lines of JSON, answers go
 * out as lines, in order.
 *
 *   dns-asker.ts ADDRESS PORT
 */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { createInterface } from "node:readline";

const [address = "127.0.0.11", usualPort = "53"] = process.argv.slice(2);

export interface Question {
  readonly name: string;
  readonly type: "A" | "AAAA" | "PTR" | "TXT" | "MX" | "SRV";
  readonly tcp?: boolean;
  /** Ends its side of the connection behind the question. */
  readonly ends?: boolean;
  /** Announces this size of UDP answers by EDNS. */
  readonly edns?: number;
  /** Sent instead of a question, as hexadecimal digits. */
  readonly raw?: string;
  /** The port that is asked, where it is not that of the command line. */
  readonly port?: number;
  /** Sent so often by UDP, and no answer is waited for. */
  readonly times?: number;
  /** As many connections are made and held without a question. */
  readonly held?: number;
}

export interface Answer {
  /**
   * The number of the header: 0 NOERROR, 1 FORMERR, 2 SERVFAIL, 3 NXDOMAIN. -1 without an answer.
   */
  readonly code: number;
  readonly truncated: boolean;
  readonly bytes: number;
  readonly edns: boolean;
  /** Addresses, names, "PORT NAME" of services, else hexadecimal digits. */
  readonly records: readonly string[];
  /** Those of the additional section. */
  readonly additional: readonly string[];
}

const types = { A: 1, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33 } as const;
const silence: Answer = {
  code: -1,
  truncated: false,
  bytes: 0,
  edns: false,
  records: [],
  additional: [],
};

function encode({ name, type, edns, raw }: Question, id: number): Buffer {
  if (raw !== undefined) return Buffer.from(raw, "hex");
  const header = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns ? 1 : 0]);
  const labels = name.split(".").filter(Boolean);
  const question = labels.map((label) =>
    Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]),
  );
  const opt = edns ? [0, 0, 41, edns >> 8, edns & 255, 0, 0, 0, 0, 0, 0] : [];
  return Buffer.concat([header, ...question, Buffer.from([0, 0, types[type], 0, 1, ...opt])]);
}

function skipName(bytes: Buffer, from: number): number {
  let at = from;
  while (bytes[at] !== 0 && (bytes[at] ?? 0) < 0xc0) at += 1 + (bytes[at] ?? 0);
  return bytes[at] === 0 ? at + 1 : at + 2;
}

function readName(bytes: Buffer, from: number): string {
  const labels: string[] = [];
  for (let at = from; (bytes[at] ?? 0) !== 0; ) {
    const size = bytes[at] ?? 0;
    labels.push(bytes.toString("latin1", at + 1, at + 1 + size));
    at += 1 + size;
  }
  return labels.join(".");
}

function decode(bytes: Buffer): Answer {
  let at = 12;
  if (bytes.readUInt16BE(4) === 1) at = skipName(bytes, at) + 4;
  const records: string[] = [];
  const additional: string[] = [];
  let edns = false;
  const count = bytes.readUInt16BE(6) + bytes.readUInt16BE(8);
  for (let place = 0; place < count + bytes.readUInt16BE(10); place++) {
    const section = place < count ? records : additional;
    at = skipName(bytes, at);
    const [type, size] = [bytes.readUInt16BE(at), bytes.readUInt16BE(at + 8)];
    const data = bytes.subarray(at + 10, at + 10 + size);
    if (type === 41) edns = true;
    else if (type === types.A) section.push([...data].join("."));
    else if (type === types.PTR) section.push(readName(bytes, at + 10));
    else if (type === types.SRV)
      section.push(`${data.readUInt16BE(4)} ${readName(bytes, at + 16)}`);
    else section.push(data.toString("hex"));
    at += 10 + size;
  }
  return {
    code: (bytes[3] ?? 0) & 15,
    truncated: ((bytes[2] ?? 0) & 2) !== 0,
    bytes: bytes.byteLength,
    edns,
    records,
    additional,
  };
}

/** Holds connections that say nothing until this program ends. */
async function hold(port: number, count: number): Promise<Answer> {
  for (let made = 0; made < count; made++) {
    const socket = connect({ port, host: address });
    socket.on("error", () => undefined);
    await new Promise((resolve) => socket.once("connect", resolve).once("close", resolve));
  }
  return silence;
}

/** Asks a question many times and waits for no answer. */
async function flood(query: Buffer, port: number, times: number): Promise<Answer> {
  const socket = createSocket("udp4");
  for (let sent = 0; sent < times; sent++)
    await new Promise((resolve) => socket.send(query, port, address, resolve));
  socket.close();
  return silence;
}

async function askByUdp(query: Buffer, port: number): Promise<Answer> {
  const socket = createSocket("udp4");
  const { promise, resolve } = Promise.withResolvers<Answer>();
  socket.on("message", (bytes) => {
    if (bytes.readUInt16BE(0) === query.readUInt16BE(0)) resolve(decode(bytes));
  });
  socket.on("error", () => resolve(silence));
  socket.send(query, port, address);
  const timer = setTimeout(() => resolve(silence), 8000);
  const answer = await promise;
  clearTimeout(timer);
  socket.close();
  return answer;
}

async function askByTcp(query: Buffer, port: number, ends = false): Promise<Answer> {
  const { promise, resolve } = Promise.withResolvers<Answer>();
  const socket = connect({ port, host: address, allowHalfOpen: true });
  let bytes: Buffer = Buffer.alloc(0);
  socket.on("data", (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    if (bytes.byteLength >= 2 && bytes.byteLength >= 2 + bytes.readUInt16BE(0))
      resolve(decode(bytes.subarray(2)));
  });
  socket.on("error", () => resolve(silence));
  socket.on("close", () => resolve(silence));
  const length = Buffer.alloc(2);
  length.writeUInt16BE(query.byteLength);
  // In two parts, as some clients send it.
  socket.write(length);
  socket.write(query);
  if (ends) socket.end();
  const answer = await promise;
  socket.destroy();
  return answer;
}

async function ask(question: Question, id: number): Promise<Answer> {
  const { tcp, ends, times, held, port = Number(usualPort) } = question;
  const query = encode(question, id);
  if (held !== undefined) return await hold(port, held);
  if (times !== undefined) return await flood(query, port, times);
  return await (tcp ? askByTcp(query, port, ends) : askByUdp(query, port));
}

if (import.meta.main) {
  console.log("ready");
  let id = 1;
  for await (const line of createInterface({ input: process.stdin }))
    console.log(JSON.stringify(await ask(JSON.parse(line) as Question, id++ & 0xffff)));
}
