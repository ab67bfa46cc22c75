import { expect, test } from "bun:test";
import type { BuildMessage } from "#wire";
import { createStyle } from "../style.ts";
import { MemorySink } from "../testing.ts";
import { BuildProgress } from "./build-progress.ts";
import { TerminalView } from "./terminal-view.ts";

const second = (count: number) => `${count}000000000`;

async function drawn(messages: readonly BuildMessage[], { rows = 24, columns = 40 } = {}) {
  const sink = new MemorySink({ isTerminal: true, columns });
  const progress = new BuildProgress();
  const view = new TerminalView(sink, { progress, style: createStyle(false), rows: () => rows });
  for (const message of messages) progress.apply(message);
  await view.end();
  return sink.text.replace(/\x1b\[[?\d]*[a-zA-Z]/g, "").replace(/ \d+\.\ds \(/, " 0.0s (");
}

function vertex(digest: string, name: string, more: object = {}): BuildMessage {
  return { kind: "vertex", digest, name, inputs: [], ...more };
}

test("the block at the end has each step with its time at the margin", async () => {
  const text = await drawn([
    vertex("a", "[1/3] FROM debian", { started: second(1), completed: second(1), cached: true }),
    vertex("b", "[2/3] RUN a command that is longer", { started: second(1), completed: second(3) }),
    vertex("c", "[3/3] RUN false", {
      started: second(3),
      completed: second(4),
      error: "exit code: 1",
    }),
  ]);
  expect(text.split("\n")).toEqual([
    "[+] Building 0.0s (3/3) FAILED",
    " => CACHED [1/3] FROM debian       0.0s",
    " => [2/3] RUN a command that is lo 2.0s",
    " => ERROR [3/3] RUN false          1.0s",
    "",
  ]);
});

test("a step that runs shows its last output, without what would move the cursor", async () => {
  const data = Buffer.from("10%\r20%\nevil \x1b[2J\n").toString("base64");
  const text = await drawn([
    vertex("a", "RUN x", { started: second(1) }),
    { kind: "log", vertex: "a", stream: 1, data, time: second(2) },
  ]);
  expect(text).toContain(" => => # 20%\n => => # evil ");
  expect(text).not.toContain("\x1b");
});
