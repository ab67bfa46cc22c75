import { connect, type Socket } from "node:net";
import type { Random } from "../../src/base/testing.ts";

/** An engine's socket, and what the clients of a soak share. */
export interface SoakTarget {
  readonly socket: string;
  readonly image: string;
  /** The id of a container that runs, and prints without an end. */
  readonly noisy: string;
  /** The id of a container that runs and is silent. */
  readonly quiet: string;
}

/** What one client does once; it resolves when the client is done or has had enough. */
type Act = (target: SoakTarget, random: Random) => Promise<void>;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** A request on a connection of its own; tries again while the engine's queue of connections is full. */
export async function soakFetch(
  unix: string,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  for (;;) {
    try {
      const signal = AbortSignal.timeout(60_000);
      return await fetch(`http://soak${path}`, { ...init, unix, keepalive: false, signal });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      await Bun.sleep(5);
    }
  }
}

async function ask(
  { socket }: SoakTarget,
  method: string,
  path: string,
  body?: unknown,
): Promise<Answer> {
  const response = await soakFetch(socket, path, {
    method,
    ...(body !== undefined && {
      body: typeof body === "string" ? body : JSON.stringify(body),
      headers: { "content-type": "application/json" },
    }),
  });
  return { status: response.status, body: await response.text() };
}

/** Fails unless the engine's answer is one of these statuses. */
async function expectStatus(answer: Promise<Answer>, ...statuses: number[]): Promise<string> {
  const { status, body } = await answer;
  if (!statuses.includes(status)) throw new Error(`status ${status}, not ${statuses}: ${body}`);
  return body;
}

/** Writes bytes on a connection of its own, reads for a while and goes without a word. */
async function blurt(
  { socket }: SoakTarget,
  bytes: string | Uint8Array,
  { reads, milliseconds }: { readonly reads: boolean; readonly milliseconds: number },
): Promise<void> {
  const peer = await opened(socket);
  if (peer === undefined) return;
  if (reads) peer.resume();
  peer.write(bytes);
  const gone = new Promise((resolve) => peer.once("close", resolve));
  await Promise.race([gone, Bun.sleep(milliseconds)]);
  peer.destroy();
}

/** A connection; undefined when the engine's backlog was full. */
export async function opened(path: string): Promise<Socket | undefined> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ path, allowHalfOpen: true }, () => resolve(true));
  socket.on("error", () => resolve(false));
  return (await promise) ? socket : undefined;
}

const request = (line: string, ...headers: string[]) =>
  `${[`${line} HTTP/1.1`, "Host: soak", ...headers].join("\r\n")}\r\n\r\n`;

const upgrade = ["Connection: Upgrade", "Upgrade: tcp"];

/** A container's whole life. */
const life: Act = async (target, random) => {
  const code = random(100);
  const body = { Image: target.image, Cmd: ["sh", "-c", `echo out; exit ${code}`] };
  const created = await expectStatus(ask(target, "POST", "/containers/create", body), 201);
  const { Id } = JSON.parse(created);
  await expectStatus(ask(target, "POST", `/containers/${Id}/start`), 204);
  const ended = await expectStatus(ask(target, "POST", `/containers/${Id}/wait`), 200);
  if (JSON.parse(ended).StatusCode !== code)
    throw new Error(`it was to exit with ${code}: ${ended}`);
  const log = await expectStatus(ask(target, "GET", `/containers/${Id}/logs?stdout=1`), 200);
  if (!log.endsWith("out\n")) throw new Error(`the log is ${JSON.stringify(log)}`);
  await expectStatus(ask(target, "DELETE", `/containers/${Id}`), 204);
};

const execution: Act = async (target) => {
  const body = { Cmd: ["echo", "in"], AttachStdout: true };
  const path = `/containers/${target.quiet}/exec`;
  const { Id } = JSON.parse(await expectStatus(ask(target, "POST", path, body), 201));
  const output = await expectStatus(ask(target, "POST", `/exec/${Id}/start`, {}), 200);
  if (!output.endsWith("in\n")) throw new Error(`the output is ${JSON.stringify(output)}`);
};

const looks: readonly string[] = [
  "/info",
  "/containers/json?all=1&size=1",
  "/images/json",
  "/volumes",
  "/networks",
  "/system/df",
  "/events?since=1&until=2",
];

const look: Act = async (target, random) => {
  const paths = [
    ...looks,
    `/containers/${target.quiet}/json`,
    `/containers/${target.quiet}/stats?stream=0&one-shot=1`,
    `/containers/${target.quiet}/top`,
    `/containers/${target.noisy}/logs?stdout=1&tail=10`,
  ];
  await expectStatus(ask(target, "GET", paths[random(paths.length)] ?? "/info"), 200);
};

const wrongs: readonly (readonly [string, string, unknown?])[] = [
  ["POST", "/containers/create", "{"],
  ["POST", "/containers/create", { Image: "absent:1", Cmd: ["true"] }],
  ["POST", "/containers/create", { Image: 7 }],
  ["POST", "/containers/absent/start"],
  ["DELETE", "/containers/absent"],
  ["GET", "/containers/json?filters={"],
  ["GET", "/containers/json?limit=many"],
  ["POST", "/networks/create", { Name: "" }],
  ["POST", "/volumes/create", { Name: "a/b" }],
  ["GET", "/images/Wrong/json"],
  ["PUT", "/containers/absent/archive?path=/"],
  ["POST", "/images/load", "garbage"],
  ["GET", `/${"x".repeat(5000)}`],
  ["POST", "/exec/absent/start", {}],
  ["GET", "/v1.99/info"],
  ["PATCH", "/info"],
];

const wrong: Act = async (target, random) => {
  const [method, path, body] = wrongs[random(wrongs.length)] ?? ["GET", "/absent"];
  const { status, body: said } = await ask(target, method, path, body);
  const told = status >= 400 || said.includes("error");
  if (!told) throw new Error(`${method} ${path.slice(0, 80)} was accepted: ${status} ${said}`);
};

const garbage: Act = async (target, random) => {
  const bytes = Uint8Array.from({ length: 1 + random(5000) }, () => random(256));
  await blurt(target, bytes, { reads: true, milliseconds: 100 });
};

const hugeHeaders: Act = async (target) => {
  const headers = `GET /info HTTP/1.1\r\nHost: soak\r\nX: ${"x".repeat(10 << 20)}`;
  await blurt(target, headers, { reads: true, milliseconds: 500 });
};

const slowReader: Act = async (target, random) => {
  const paths = [
    `/containers/${target.noisy}/logs?stdout=1&follow=1`,
    `/containers/${target.quiet}/export`,
    "/events",
  ];
  const line = `GET ${paths[random(paths.length)]}`;
  await blurt(target, request(line), { reads: false, milliseconds: 300 + random(1000) });
};

const goneInTheMiddle: Act = async (target, random) => {
  const lines = [
    request(`POST /containers/${target.noisy}/attach?stream=1&stdout=1`, ...upgrade),
    request(`GET /containers/${target.quiet}/export`),
    request(`GET /containers/${target.noisy}/stats`),
    request(`POST /containers/${target.quiet}/wait`),
    `${request("POST /images/load", "Content-Length: 100000")}half`,
    `${request("POST /containers/create", "Content-Length: 100000")}{"Image":`,
    `${request("POST /build/absent", "Transfer-Encoding: chunked")}ffff\r\nx`,
  ];
  const bytes = lines[random(lines.length)] ?? "";
  await blurt(target, bytes, { reads: random(2) === 0, milliseconds: random(200) });
};

/** Legal calls as often as all others together. */
const acts: readonly Act[] = [
  ...[life, life, execution, execution, look, look],
  ...[wrong, wrong, garbage, hugeHeaders, slowReader, goneInTheMiddle],
];

/** Acts one after the other until a point in time of `performance.now()`; gives their number. */
export async function soakClient(target: SoakTarget, random: Random, end: number): Promise<number> {
  let done = 0;
  for (; performance.now() < end; done++) await acts[random(acts.length)]?.(target, random);
  return done;
}
