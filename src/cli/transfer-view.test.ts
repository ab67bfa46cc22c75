import { expect, test } from "bun:test";
import type { JsonMessage } from "#wire";
import { outcome } from "../base/testing.ts";
import { MemorySink } from "./testing.ts";
import { showTransfer } from "./transfer-view.ts";

async function shown(messages: readonly JsonMessage[], sink = {}, quiet = false): Promise<string> {
  const out = new MemorySink(sink);
  await showTransfer(
    out,
    (async function* () {
      yield* messages;
    })(),
    { quiet },
  );
  return out.text;
}

const messages: JsonMessage[] = [
  { status: "Pulling from library/debian", id: "12" },
  { status: "Pulling fs layer", progressDetail: {}, id: "aa" },
  { status: "Pulling fs layer", progressDetail: {}, id: "bb" },
  { status: "Downloading", progressDetail: { current: 5, total: 10 }, id: "aa" },
  { status: "Pull complete", progressDetail: {}, id: "aa" },
  { status: "Digest: sha256:x" },
  { progressDetail: {}, aux: { Tag: "1", Digest: "sha256:x", Size: 1 } },
];

test("in a pipe each step is a line, without bars", async () => {
  expect(await shown(messages)).toBe(
    "12: Pulling from library/debian\naa: Pulling fs layer\nbb: Pulling fs layer\naa: Pull complete\nDigest: sha256:x\n",
  );
});

test("on a terminal each layer has a line, which is drawn anew in its place", async () => {
  expect(await shown(messages, { isTerminal: true, columns: 80 })).toBe(
    [
      "12: Pulling from library/debian\n",
      "\n\x1b[1A\x1b[2K\raa: Pulling fs layer \r\x1b[1B",
      "\n\x1b[1A\x1b[2K\rbb: Pulling fs layer \r\x1b[1B",
      "\x1b[2A\x1b[2K\raa: Downloading       5B/10B\r\x1b[2B",
      "\x1b[2A\x1b[2K\raa: Pull complete \r\x1b[2B",
      "Digest: sha256:x\n",
    ].join(""),
  );
});

test("a bar is drawn where there is room, and no line is longer than the terminal", async () => {
  const [, , , download] = messages;
  const wide = await shown(download ? [download] : [], { isTerminal: true, columns: 120 });
  expect(wide).toContain(`[${"=".repeat(25)}>${" ".repeat(25)}]       5B/10B`);
  const narrow = await shown(download ? [download] : [], { isTerminal: true, columns: 20 });
  expect(narrow).toContain("\raa: Downloading    \r");
});

test("quiet prints nothing, and an error ends it either way", async () => {
  expect(await shown(messages, {}, true)).toBe("");
  const failed = [...messages, { error: "denied", errorDetail: { message: "denied: no" } }];
  expect(await outcome(shown(failed, {}, true))).toThrow("denied: no");
});
