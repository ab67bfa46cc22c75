import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { random, rounds } from "../base/testing.ts";
import { type RenderLogOptions, renderLog } from "./index.ts";

let directory = "";
let path = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-logs-"));
  path = join(directory, "x-json.log");
});
afterEach(() => rmSync(directory, { recursive: true }));

async function render(options: Partial<RenderLogOptions> = {}): Promise<Buffer> {
  const all = { path, maxFiles: 1, stdout: true, stderr: true, framed: false };
  return Buffer.concat(await Array.fromAsync(renderLog({ ...all, ...options })));
}

const record = (log: string, stream = "stdout", time = "2023-11-14T22:13:20.5Z") =>
  `${JSON.stringify({ log, stream, time })}\n`;

function frame(stream: number, text: string): Buffer {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

test("each record has a frame of its own, unless a terminal wrote it", async () => {
  writeFileSync(path, record("a\n") + record('é \u0001"\\/\n', "stderr") + record("half"));
  expect(await render({ framed: true })).toEqual(
    Buffer.concat([frame(1, "a\n"), frame(2, 'é \u0001"\\/\n'), frame(1, "half")]),
  );
  expect(String(await render())).toBe('a\né \u0001"\\/\nhalf');
  expect(String(await render({ stdout: false }))).toBe('é \u0001"\\/\n');
  expect(String(await render({ stderr: false }))).toBe("a\nhalf");
});

test("times have nine digits of fraction", async () => {
  const times = [
    "2023-11-14T22:13:20Z",
    "2023-11-14T22:13:20.5Z",
    "2023-11-14T22:13:20.123456789Z",
  ];
  writeFileSync(path, times.map((time) => record("a\n", "stdout", time)).join(""));
  expect(String(await render({ timestamps: true }))).toBe(
    ["000000000", "500000000", "123456789"]
      .map((fraction) => `2023-11-14T22:13:20.${fraction}Z a\n`)
      .join(""),
  );
  const [first = Buffer.alloc(0)] = [await render({ timestamps: true, framed: true, tail: 1 })];
  expect(first).toEqual(frame(1, "2023-11-14T22:13:20.123456789Z a\n"));
});

test("records of another form are read all the same, in their place", async () => {
  const attrs = `{"log":"with\\n","stream":"stderr","attrs":{"b":"2","a":"1"},"time":"2023-11-14T22:13:20Z"}\n`;
  const spaced = `{ "log": "spaced\\n", "stream": "stdout", "time": "2023-11-14T22:13:20+01:00" }\n`;
  writeFileSync(path, record("a\n") + attrs + record("😀\\ud83d\n") + spaced + record("z\n"));
  expect(String(await render())).toBe("a\nwith\n😀\\ud83d\nspaced\nz\n");
  expect(String(await render({ details: true, stdout: false }))).toBe("a=1,b=2 with\n");
});

test("a line that was cut, and lines that are no records, are passed over", async () => {
  const bad = [
    '{"log":"cu',
    '{"log":"a\\u12"}',
    "",
    "null",
    '{"log":"x","stream":"stdout","time":"never"}',
  ];
  const times = [
    "2023-11-14T22:13:20.Z",
    "2023-11-14T22:13:20.1234567890Z",
    "2023-13-14x22:13:20Z",
  ];
  writeFileSync(
    path,
    [...bad, ...times.map((time) => record("t", "stdout", time).trim())]
      .map((line) => `${line}\n`)
      .join("") + record("good\n"),
  );
  expect(String(await render())).toBe("good\n");
});

test("any text is shown as it was written", async () => {
  const pick = random(7);
  const alphabet = [
    "a",
    "\n",
    "\t",
    '"',
    "\\",
    "\u0000",
    "é",
    "€",
    "\u2028",
    "😀",
    "</",
    "\u007f",
    "\ud800",
  ];
  const texts = Array.from({ length: rounds(300, 20_000) }, () =>
    Array.from({ length: pick(40) }, () => alphabet[pick(alphabet.length)]).join(""),
  );
  // As monitors write them, and as other encoders may.
  const escaped = (line: string) =>
    line.replace(
      /[<>&\u2028\u2029é€]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`,
    );
  writeFileSync(
    path,
    texts.map((text) => (pick(2) === 0 ? record(text) : escaped(record(text)))).join(""),
  );
  expect(await render()).toEqual(Buffer.from(texts.join("|").split("|").join("")));
});
