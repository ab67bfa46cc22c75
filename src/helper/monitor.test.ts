import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { rejection } from "../base/testing.ts";
import { attach } from "./attach.ts";
import { type ExitRecord, readExitFrame } from "./exit-record.ts";
import { encodeFrame, type Frame, FrameReader, PayloadReader } from "./frame.ts";
import { connectMonitor } from "./monitor.ts";
import { attachTo, stages, frame as type } from "./tags.ts";

/** A monitor of the test's: `answer` gets every frame that comes in, until it takes the socket over. */
let answer: (socket: Socket, frame: Frame) => void = () => undefined;
let directory = "";
let path = "";
let server: Server;
let clients: Socket[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "monitor-"));
  path = join(directory, "socket");
  server = createServer({ allowHalfOpen: true }, (socket) => {
    clients.push(socket);
    const reader = new FrameReader();
    socket.on("data", (bytes: Buffer) => {
      if (clients.includes(socket)) for (const frame of reader.push(bytes)) answer(socket, frame);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
});

afterEach(() => {
  for (const client of clients) client.destroy();
  clients = [];
  server.close();
  rmSync(directory, { recursive: true });
});

function refusal(errno: number): Uint8Array {
  const text = Buffer.from("resize the terminal");
  const bytes = Buffer.concat([encodeFrame(type.ERROR, errno, stages.indexOf("monitor")), text]);
  bytes.writeUInt32LE(bytes.byteLength - 8, 4);
  return bytes;
}

function state(id: string): Uint8Array {
  const bytes = Buffer.concat([encodeFrame(type.STATE, 1, 42, 77n, 43, 1, 5n), Buffer.from(id)]);
  bytes.writeUInt32LE(bytes.byteLength - 8, 4);
  return bytes;
}

test("commands are answered in order, errors as faults", async () => {
  const seen: number[][] = [];
  answer = (socket, frame) => {
    const payload = new PayloadReader(frame);
    if (frame.type === type.STATUS) socket.write(state("one"));
    else if (frame.type === type.RESIZE) {
      seen.push([payload.u32(), payload.u32()]);
      socket.write(refusal(25));
    } else socket.write(encodeFrame(type.OK));
  };
  using monitor = await connectMonitor(path);
  const [status, resized, signalled] = await Promise.allSettled([
    monitor.status(),
    monitor.resize(24, 80),
    monitor.signal(15),
  ]);
  expect(status).toMatchObject({
    value: { version: 1, id: "one", pid: 42, startTime: 77n, state: "running", droppedLines: 5n },
  });
  expect(resized).toMatchObject({ reason: { code: "invalid", errno: "ENOTTY" } });
  expect(signalled.status).toBe("fulfilled");
  expect(seen).toEqual([[24, 80]]);
});

test("a watch tells of OOM and exit", async () => {
  answer = (socket, frame) => {
    if (frame.type === type.STATUS) socket.write(state("one"));
    if (frame.type !== type.WATCH) return;
    socket.write(encodeFrame(type.OK));
    socket.write(encodeFrame(type.OOM, 1n));
    socket.end(encodeFrame(type.EXIT, 137, 9, 1, 2n, 3n, 4n, 5n, 6n));
  };
  using monitor = await connectMonitor(path);
  const { promise, resolve } = Promise.withResolvers<ExitRecord>();
  let notices = 0;
  monitor.watch({ onOom: () => notices++, onExit: resolve });
  expect(await promise).toMatchObject({ id: "one", exitCode: 137, signal: 9, oomKilled: true });
  expect(notices).toBe(1);
  await monitor.closed;
  expect(await rejection(monitor.status())).toMatchObject({ code: "unavailable" });
});

test("a monitor that hangs up fails the commands that wait for it", async () => {
  answer = (socket) => socket.destroy();
  using monitor = await connectMonitor(path);
  expect(await rejection(monitor.closeStdin())).toMatchObject({ code: "unavailable" });
  const everything = { stdin: true, stdout: true, stderr: true };
  expect(await rejection(attach(path, everything))).toMatchObject({ code: "unavailable" });
  expect(await rejection(attach(join(directory, "none"), everything))).toMatchObject({
    code: "unavailable",
  });
});

/** Answers every attach and gives its socket away: from then on the bytes are the container's. */
function answerAttaches(attached: (socket: Socket, streams: number) => void): void {
  answer = (socket, frame) => {
    clients = clients.filter((client) => client !== socket);
    socket.removeAllListeners("data").pause();
    attached(socket, new PayloadReader(frame).u32());
  };
}

test("output that comes with the answer of an attach is not lost, input goes out raw", async () => {
  const { promise: input, resolve: got } = Promise.withResolvers<string>();
  const seen: number[] = [];
  answerAttaches((socket, streams) => {
    seen.push(streams);
    if (streams === attachTo.STDIN) {
      socket.write(encodeFrame(type.OK));
      void buffer(socket).then((bytes) => got(bytes.toString()));
    } else socket.end(Buffer.concat([encodeFrame(type.OK), Buffer.from("early output")]));
  });
  const streams = await attach(path, { stdin: true, stdout: false, stderr: true });
  expect(seen).toEqual([attachTo.STDERR, attachTo.STDIN]);
  streams.input.end("in");
  expect((await buffer(streams.output)).toString()).toBe("early output");
  expect(await input).toBe("in");
});

test("input that the monitor does not take leaves the output as it is", async () => {
  let output: Socket | undefined;
  answerAttaches((socket, streams) => {
    socket.write(encodeFrame(type.OK));
    if (streams !== attachTo.STDIN) output = socket;
    // The process has ended: the monitor hangs up, and bytes that it never read break the connection.
    else socket.once("readable", () => socket.destroy());
  });
  const streams = await attach(path, { stdin: true, stdout: true, stderr: true });
  const closed = new Promise((resolve) => streams.input.once("close", resolve));
  const feed = () => {
    while (!streams.input.destroyed && streams.input.write(Buffer.alloc(65_536)));
  };
  streams.input.on("drain", feed);
  feed();
  await closed;
  output?.end("all of it");
  expect((await buffer(streams.output)).toString()).toBe("all of it");
});

test("the exit of a launch that failed has Docker's code for it", () => {
  const [frame] = new FrameReader().push(encodeFrame(type.EXIT, 1, 0, 0, 0n, 3n, 0n, 0n, 0n));
  if (!frame) throw new Error("no frame");
  const error = { stage: "exec", errno: 2, message: "exec: no such file" };
  expect(readExitFrame(frame, "one", error)).toMatchObject({ exitCode: 127, error });
});
