import { expect, test } from "bun:test";
import { generateX25519Identity, identityToRecipient } from "age-encryption";
import { outcome, rounds } from "../base/testing.ts";
import { type BackupKey, createKey, decodeSegment, openKey, StreamWriter } from "./index.ts";
import { encodeSegment } from "./segment.ts";
import { MemoryBlobs, randomBytes } from "./testing.ts";

const options = { average: 4096, packBytes: 128 << 10 };
const text = Buffer.from("the same line again and again\n".repeat(10_000));
const stream = Buffer.concat([randomBytes(3 << 19, "one"), text, Buffer.alloc(1 << 19)]);
const changed = Buffer.concat([
  stream.subarray(0, 700_000),
  randomBytes(30_000, "change"),
  stream.subarray(720_000),
]);

test("a stream comes back as it was, from packs of about the size that was asked for", async () => {
  const store = new MemoryBlobs();
  const { written, sent } = await store.write(stream, options);
  expect((await store.read(written)).equals(stream)).toBe(true);
  expect(written.size).toBe(stream.length);
  expect(written.packs.length).toBeGreaterThan(5);
  expect(written.packs.length).toBeLessThan(14);
  // The text compresses, and zeros are one chunk.
  expect(sent).toBeLessThan(1.7 * 2 ** 20);
});

test("of a changed stream only the change is new, also over what it shares with an older one", async () => {
  const store = new MemoryBlobs();
  const first = await store.write(stream, options);
  const again = await store.write(stream, options, first.written);
  expect(again.sent).toBe(0);
  expect(again.written).toEqual(first.written);
  const second = await store.write(changed, options, first.written);
  expect(second.sent).toBeLessThan(150_000);
  expect((await store.read(second.written)).equals(changed)).toBe(true);
  const third = await store.write(Buffer.concat([changed, text]), options, second.written);
  expect(third.sent).toBeLessThan(150_000);
  expect((await store.read(third.written)).length).toBe(changed.length + text.length);
});

test("chunks of packs that are not to be used are written again", async () => {
  const store = new MemoryBlobs();
  const first = await store.write(stream, options);
  const lost = first.written.packs[2]?.digest;
  if (!lost) throw new Error("there are fewer packs than expected");
  const bytes = store.blobs.get(lost);
  store.blobs.delete(lost);
  const second = await store.write(stream, options, first.written);
  expect(second.sent).toBeGreaterThan(100_000);
  expect(second.sent).toBeLessThan(300_000);
  expect((await store.read(second.written)).equals(stream)).toBe(true);
  expect(bytes?.length).toBeGreaterThan(100_000);
});

test("what a pack has is told by its contents alone, so that a broken-off backup is gone on with", async () => {
  const store = new MemoryBlobs();
  await store.write(stream, options);
  const writer = new StreamWriter(options);
  for (const contents of store.contents.values()) writer.know(decodeSegment(contents), () => true);
  for await (const blob of writer.add(stream)) expect(blob.kind).toBe("segment");
  for await (const blob of writer.finish()) expect(blob.kind).toBe("segment");
});

/** For a holder who is nobody. */
async function newKey(): Promise<BackupKey> {
  const recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
  return (await createKey({ recipients: [recipient] })).key;
}

test("encrypted blobs share what they have in common, and give nothing away", async () => {
  const key = await newKey();
  const store = new MemoryBlobs();
  const secret = { ...options, key };
  const half = stream.subarray(500_000);
  const first = await store.write(Buffer.concat([text, half]), secret);
  for (const blob of store.blobs.values()) {
    expect(Buffer.from(blob.subarray(0, 21)).toString()).toBe("age-encryption.org/v1");
    expect(Buffer.from(blob).includes("again and again")).toBe(false);
  }
  const second = await store.write(
    Buffer.concat([text, changed.subarray(500_000)]),
    secret,
    first.written,
  );
  expect(second.sent).toBeLessThan(150_000);
  const back = await store.read(second.written, key);
  expect(back.equals(Buffer.concat([text, changed.subarray(500_000)]))).toBe(true);
  expect(await outcome(store.read(second.written, await newKey()))).toThrow("cannot be decrypted");
});

test("a key is for the holders that it was made for", async () => {
  const identity = await generateX25519Identity();
  const owner = { identity, recipient: await identityToRecipient(identity) };
  const { key, file } = await createKey({ recipients: [owner.recipient] });
  expect(await openKey(file, { identities: [owner.identity] })).toEqual(key);
  expect(await outcome(openKey(file, { identities: [key.identity] }))).toThrow(
    "not for the identities given",
  );
  expect(await outcome(openKey(file, { identities: ["AGE-SECRET"] }))).toThrow("is none of age");
  expect(await outcome(createKey({ recipients: ["bob"] }))).toThrow('"bob" is no recipient');
  const cut = file.subarray(0, file.length - 1);
  expect(await outcome(openKey(cut, { identities: [owner.identity] }))).toThrow("not for");
});

test("a pack that was altered, cut or exchanged is found on reading", async () => {
  const store = new MemoryBlobs();
  const { written } = await store.write(stream, options);
  const [one, two] = written.packs.map(({ digest }) => digest);
  if (!one || !two) throw new Error("there are fewer packs than expected");
  const good = Buffer.from(store.blobs.get(one) ?? []);
  const altered = Buffer.from(good);
  altered[5000] = (altered[5000] ?? 0) ^ 1;
  for (const bytes of [altered, good.subarray(0, 1000), Buffer.from(store.blobs.get(two) ?? [])]) {
    store.blobs.set(one, bytes);
    expect(await outcome(store.read(written))).toThrow("the backup is damaged");
  }
});

test("an index of a stranger is read or refused, whatever is in it", async () => {
  const store = new MemoryBlobs();
  const { written } = await store.write(stream.subarray(0, 300_000), options);
  const [first] = written.segments;
  if (!first) throw new Error("there is no segment");
  const segment = await store.segment(first.digest);
  const bytes = encodeSegment(segment);
  expect(decodeSegment(bytes)).toEqual(segment);
  const plain = Buffer.from(Bun.zstdDecompressSync(bytes));
  const count = rounds(200, 1_000);
  const seed = randomBytes(4 * count, "fuzz");
  let refused = 0;
  for (let round = 0; round < count; round++) {
    const at = seed.readUInt32LE(round * 4) % plain.length;
    const bad = Buffer.from(plain);
    if (round % 3 === 0) bad[at] = (bad[at] ?? 0) ^ (1 << (round % 8));
    else if (round % 3 === 1) bad.fill(0xff, at, Math.min(at + 9, bad.length));
    const cut = round % 3 === 2 ? bad.subarray(0, at) : bad;
    try {
      decodeSegment(Bun.zstdCompressSync(cut));
    } catch (error) {
      refused++;
      expect(error).toMatchObject({ code: "invalid" });
    }
  }
  expect(refused).toBeGreaterThan(count * 0.4);
  expect(() => decodeSegment(bytes.subarray(0, 50))).toThrow("is damaged");
  expect(() => decodeSegment(Bun.zstdCompressSync(Buffer.alloc(50 << 20)))).toThrow("is damaged");
});
