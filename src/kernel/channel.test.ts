import { expect, test } from "bun:test";
import { type Channel, openChannel } from "./channel.ts";
import { pipe, socketPair } from "./descriptors.ts";

function pair(): [Channel, Channel] {
  const [a, b] = socketPair();
  return [openChannel(a), openChannel(b)];
}

function ended(channel: Channel): Promise<void> {
  return new Promise((resolve) => channel.onEnd(() => resolve()));
}

test("bytes arrive whole and in order, and the end after them", async () => {
  const [a, b] = pair();
  const got: Uint8Array[] = [];
  b.onData((bytes) => got.push(bytes));
  const sent = new Uint8Array(3_000_000).map((_, i) => i % 251);
  expect(a.write(sent)).toBe(false);
  a.end();
  await ended(b);
  expect(Buffer.concat(got).equals(sent)).toBe(true);
  expect(a.pending).toBe(0);
  a.close();
  b.close();
});

test("the other direction stays open after the end of one", async () => {
  const [a, b] = pair();
  b.onData(() => undefined);
  const answered = new Promise<string>((resolve) => {
    a.onData((bytes) => resolve(Buffer.from(bytes).toString()));
  });
  a.end();
  await ended(b);
  b.write(Buffer.from("still here"));
  expect(await answered).toBe("still here");
  expect(() => a.write(Buffer.from("x"))).toThrow("closed for writing");
  a.close();
  b.close();
});

test("a paused reader makes the writer wait, at the limit it is refused", async () => {
  const [a, b] = socketPair();
  const [writer, reader] = [openChannel(a, { writeLimit: 100_000 }), openChannel(b)];
  let got = 0;
  reader.onData((bytes) => {
    got += bytes.length;
  });
  reader.pause();
  const chunk = new Uint8Array(50_000);
  let sent = 0;
  expect(() => {
    for (;;) {
      writer.write(chunk);
      sent += chunk.length;
    }
  }).toThrow("too slow");
  // The write that was refused may have gone out in part, but only while nothing was waiting.
  expect(writer.pending).toBeLessThanOrEqual(100_000);
  expect(got).toBe(0);
  const drained = new Promise<void>((resolve) => writer.onDrain(resolve));
  reader.resume();
  await drained;
  writer.end();
  await ended(reader);
  expect(got).toBe(sent);
  writer.close();
  reader.close();
});

test("writing to an end that is gone is silent, and the end is told", async () => {
  const [a, b] = pair();
  b.close();
  a.onData(() => undefined);
  await ended(a);
  expect(a.write(Buffer.from("x"))).toBe(true);
  expect(a.pending).toBe(0);
  a.close();
});

test("a hang-up is seen without a receiver of data, and by one that comes late", async () => {
  const [a, b] = pair();
  const first = ended(a);
  b.close();
  await first;
  await ended(a);
  a.close();
});

test("nothing is told after close", async () => {
  const [a, b] = pair();
  let told = 0;
  b.onData(() => {
    told++;
  });
  b.onEnd(() => {
    told++;
  });
  a.write(Buffer.from("x"));
  b.close();
  b.close();
  a.close();
  const [c, d] = pair();
  d.onData(() => d.close());
  c.onData(() => undefined);
  c.write(Buffer.from("x"));
  await ended(c);
  expect(told).toBe(0);
  expect(d.isOpen).toBe(false);
  c.close();
});

test("a pipe's write end closes when its queue is written", async () => {
  const [read, write] = pipe();
  const [reader, writer] = [openChannel(read), openChannel(write)];
  let got = 0;
  writer.write(new Uint8Array(500_000));
  writer.end();
  reader.onData((bytes) => {
    got += bytes.length;
  });
  await ended(reader);
  expect(got).toBe(500_000);
  expect(writer.isOpen).toBe(false);
  reader.close();
});
