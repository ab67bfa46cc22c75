import { expect, test } from "bun:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Fault } from "#base";
import { type Random, random, rounds } from "../base/testing.ts";
import { decompress } from "./index.ts";

const limits = { bytes: 1 << 20, allowance: 1 << 18, ratio: 20 };
const codes = ["invalid", "exhausted", "unsupported"];

/** What comes out, or how it was refused; never more than the limits say. */
async function outcome(bytes: Buffer, cut: () => number): Promise<Buffer | string> {
  const out: Uint8Array[] = [];
  let size = 0;
  const source = async function* () {
    for (let at = 0; at < bytes.length; ) {
      const chunk = bytes.subarray(at, at + cut());
      at += chunk.length;
      yield chunk;
    }
  };
  try {
    for await (const chunk of decompress(source(), limits)) {
      size += chunk.length;
      expect(size).toBeLessThanOrEqual(limits.bytes);
      out.push(chunk);
    }
  } catch (error) {
    if (!(error instanceof Fault) || !codes.includes(error.code)) throw error;
    return error.code;
  }
  return Buffer.concat(out);
}

/** `seq 400 | xz | base64` */
const xz = Buffer.from(
  "/Td6WFoAAATm1rRGAgAhARYAAAB0L+Wj4AXTASpdABiCgo8iTvimVffwmaUlDZBFkVpRtJvKrNwFMuyFUp+xSG3v3OhLuWG64JxTf5jIqVQO/D0q0wbXZkQ9VmSmzT3Xxx9E9BjfAgs/4sbGe+Hnf3lEHHm3Qq5luBu1DoThmoIGIzlaf3KqQ/qlmh+SwL5FcXlK1ZPGkAo5rZxlhyq2GjjH4ZMXytA+CeqwUvAQYCbAXl8QkQ25eXh9l0Jg0KY4d+Ej6LsoT4hSLXVYJj9m/eKc69OvYdk1ev/7YrE8fJMc8mS4TRyFKrFcAAY2AUrrvAVI71xotTxxgZ4sbORnBs+FKnUJGYy8F0QNzTxpxjbEnpzS7js1Ej6TUpedkeFNVjFeyuWWgq9ADIWjSVbIkWpANfkU5FUtUTUkUoSAFyAtXAOMwa3czwAAAACIFdwwdc985gABxgLUCwAAO7tH27HEZ/sCAAAAAARZWg==",
  "base64",
);

function content(next: Random): Buffer {
  const bytes = Buffer.alloc(next(6000), "text and zeros \0\0\0\0");
  for (let i = next(60); i > 0 && bytes.length > 0; i--) bytes[next(bytes.length)] = next(256);
  return bytes;
}

const bombs = [gzipSync, zstdCompressSync].map((pack) => pack(Buffer.alloc(3 << 18, 1)));

function pack(next: Random, bytes: Buffer): Buffer {
  const kind = next(9);
  if (kind === 0) return xz;
  if (kind === 1) return Buffer.concat([gzipSync(bytes), gzipSync(bytes)]);
  return bombs[kind - 2] ?? (kind < 7 ? gzipSync(bytes) : zstdCompressSync(bytes));
}

function damage(next: Random, packed: Buffer): Buffer {
  const bytes = Buffer.from(packed);
  // The first bytes say what it is; damage further in is found later.
  const from = next(3) === 0 ? 0 : 4;
  for (let flips = next(4); flips > 0; flips--) {
    const at = from + next(bytes.length - from);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << next(8));
  }
  if (next(3) === 0) return bytes.subarray(0, next(bytes.length + 1));
  return next(4) === 0 ? Buffer.concat([bytes, content(next)]) : bytes;
}

test("whatever a stream holds, it comes out whole or ends in a Fault, within the limits", async () => {
  const seen = new Map<string, number>();
  for (let seed = 1; seed <= rounds(100, 1500); seed++) {
    const next = random(seed);
    const bytes = damage(next, pack(next, content(next)));
    const result = await outcome(bytes, () => 1 + next(next(4) === 0 ? 40 : 4000));
    const kind = typeof result === "string" ? result : "whole";
    seen.set(kind, (seen.get(kind) ?? 0) + 1);
  }
  for (const kind of ["whole", "invalid", "exhausted"]) {
    expect([kind, (seen.get(kind) ?? 0) > 3]).toEqual([kind, true]);
  }
});

/** A checksum (gzip, xz) or a cut anywhere: what is wrong never passes for what was sent. */
test.each([
  ["gzip", gzipSync(content(random(7)))],
  ["xz", xz],
] as const)("a flipped or missing byte of %s is never passed over", async (format, packed) => {
  const right = (await outcome(packed, () => 4096)) as Buffer;
  const next = random(11);
  for (let i = 0; i < rounds(40, 1000); i++) {
    const at = 10 + next(packed.length - 10);
    const flipped = Buffer.from(packed);
    flipped[at] = (flipped[at] ?? 0) ^ (1 << next(8));
    for (const bytes of [flipped, packed.subarray(0, at)]) {
      const result = await outcome(bytes, () => 1 + next(3000));
      if (typeof result !== "string") expect([format, at, result]).toEqual([format, at, right]);
    }
  }
});
