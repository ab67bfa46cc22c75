import { expect, test } from "bun:test";
import { Readable } from "node:stream";
import { demultiplex } from "./demultiplex.ts";

function frame(stream: number, text: string): Buffer {
  const body = Buffer.from(text);
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(body.byteLength, 4);
  return Buffer.concat([header, body]);
}

test.each([1, 3, 8, 1000])("lines come whole whatever the chunks (%d bytes)", async (size) => {
  const bytes = Buffer.concat([frame(1, "one\ntw"), frame(2, "err\n"), frame(1, "o ü\n\nlast")]);
  const chunks: Buffer[] = [];
  for (let i = 0; i < bytes.byteLength; i += size) chunks.push(bytes.subarray(i, i + size));
  const found: string[] = [];
  await demultiplex(Readable.from(chunks), (stream, line) => found.push(`${stream}:${line}`));
  expect(found).toEqual(["stdout:one", "stderr:err", "stdout:two ü", "stdout:", "stdout:last"]);
});
