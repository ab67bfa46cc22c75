import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rejection } from "../base/testing.ts";
import { readExitRecord } from "./exit-record.ts";
import { encodeFrame, FrameReader, PayloadReader } from "./frame.ts";
import { exitCodeOf, launchFault, readLaunchError } from "./launch-error.ts";
import { stages, frame as type } from "./tags.ts";

function withText(frame: Uint8Array, text: string): Buffer {
  const bytes = Buffer.concat([frame, Buffer.from(text)]);
  bytes.writeUInt32LE(bytes.byteLength - 8, 4);
  return bytes;
}

test("frames come out whole however the stream is split up", () => {
  const stream = Buffer.concat([
    encodeFrame(type.CREATED, 42, 2n ** 60n),
    encodeFrame(type.GO),
    encodeFrame(type.SIGNAL, 15),
  ]);
  for (let size = 1; size <= stream.byteLength; size++) {
    const reader = new FrameReader();
    const frames = [];
    for (let at = 0; at < stream.byteLength; at += size)
      frames.push(...reader.push(stream.subarray(at, at + size)));
    expect(frames.map((frame) => frame.type)).toEqual([type.CREATED, type.GO, type.SIGNAL]);
    const payload = new PayloadReader(frames[0] ?? { type: 0, payload: Buffer.alloc(0) });
    expect([payload.u32(), payload.u64()]).toEqual([42, 2n ** 60n]);
  }
});

test("a reader asks for no byte beyond the frame", () => {
  const frame = encodeFrame(type.RESIZE, 24, 80);
  const reader = new FrameReader();
  expect(reader.missing).toBe(8);
  reader.push(frame.subarray(0, 3));
  expect(reader.missing).toBe(5);
  reader.push(frame.subarray(3, 8));
  expect(reader.missing).toBe(8);
  expect(reader.push(frame.subarray(8))).toHaveLength(1);
  expect(reader.missing).toBe(8);
});

test("a frame that claims too much and a payload that is too short are data loss", () => {
  const huge = Buffer.from(encodeFrame(type.HELLO));
  huge.writeUInt32LE(1 << 20, 4);
  expect(() => new FrameReader().push(huge)).toThrow("at most 4096");
  const payload = new PayloadReader({ type: type.EXIT, payload: Buffer.alloc(3) });
  expect(() => payload.u32()).toThrow("too short");
});

test("a launch error names stage, errno and reason", () => {
  const bytes = withText(encodeFrame(type.ERROR, 2, stages.indexOf("exec")), 'exec: "nope"');
  const [frame] = new FrameReader().push(bytes);
  if (!frame) throw new Error("no frame");
  const error = readLaunchError(frame);
  expect(error).toEqual({
    stage: "exec",
    errno: 2,
    message: 'exec: "nope": no such file or directory',
  });
  expect(launchFault(error)).toMatchObject({ code: "not_found", stage: "exec", errno: "ENOENT" });
  expect(exitCodeOf(error)).toBe(127);
  expect(exitCodeOf({ ...error, errno: 13 })).toBe(126);
  expect(exitCodeOf({ ...error, stage: "mount" })).toBe(128);
});

test("an exit record is read back, a missing one is undefined, another file is data loss", async () => {
  const directory = mkdtempSync(join(tmpdir(), "exit-record-"));
  try {
    const path = join(directory, "exit");
    expect(await readExitRecord(path)).toBeUndefined();
    const hello = withText(encodeFrame(type.HELLO, 1), "one");
    writeFileSync(
      path,
      Buffer.concat([hello, encodeFrame(type.EXIT, 137, 9, 1, 5n, 6n, 7n, 8n, 9n)]),
    );
    expect(await readExitRecord(path)).toEqual({
      id: "one",
      exitCode: 137,
      signal: 9,
      oomKilled: true,
      startedAt: 5n,
      finishedAt: 6n,
      rusage: { userMicros: 7n, systemMicros: 8n, maxRssKiB: 9n },
    });
    writeFileSync(path, hello);
    expect(await rejection(readExitRecord(path))).toMatchObject({ code: "data_loss" });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
