import { expect, test } from "bun:test";
import type { BuildMessage } from "#wire";
import { MemorySink } from "../testing.ts";
import { failureReport } from "./build-failure.ts";
import { BuildProgress } from "./build-progress.ts";
import { elapsedText, PlainView } from "./plain-view.ts";

const second = 1_000_000_000n;
const at = (seconds: number) => String(BigInt(Math.round(seconds * 1000)) * (second / 1000n));

function vertex(digest: string, name: string, more: object = {}): BuildMessage {
  return { kind: "vertex", digest, name, inputs: [], ...more };
}

function log(digest: string, text: string, time = 1): BuildMessage {
  const data = Buffer.from(text).toString("base64");
  return { kind: "log", vertex: digest, stream: 1, data, time: at(time) };
}

async function shown(messages: readonly BuildMessage[]) {
  const sink = new MemorySink();
  const view = new PlainView(sink);
  const progress = new BuildProgress();
  for (const message of messages) {
    const change = progress.apply(message);
    if (change) await view.show(change);
  }
  await view.end();
  return { text: sink.text, progress };
}

test("steps have numbers, and their output the time", async () => {
  const { text } = await shown([
    vertex("b", "[2/2] RUN make"),
    vertex("a", "[1/2] FROM debian", { started: at(0), completed: at(0), cached: true }),
    vertex("b", "[2/2] RUN make", { started: at(1) }),
    log("b", "one\ntw", 1.5),
    log("b", "o\nthree\n", 2.25),
    vertex("b", "[2/2] RUN make", { started: at(1), completed: at(13.26) }),
  ]);
  expect(text).toBe(
    [
      "#1 [1/2] FROM debian",
      "#1 CACHED",
      "",
      "#2 [2/2] RUN make",
      "#2 0.500 one",
      "#2 0.500 two",
      "#2 1.250 three",
      "#2 DONE 12.3s",
      "",
    ].join("\n"),
  );
});

test("one of two steps that run at once has the floor until it ends", async () => {
  const { text } = await shown([
    vertex("a", "first", { started: at(1) }),
    vertex("b", "second", { started: at(1) }),
    log("b", "from b\n"),
    log("a", "from a"),
    log("b", "more of b\n"),
    vertex("a", "first", { started: at(1), completed: at(2) }),
    vertex("b", "second", { started: at(1), completed: at(2), error: "context canceled" }),
  ]);
  expect(text).toBe(
    [
      "#1 first",
      "#1 0.000 from a",
      "#1 DONE 1.0s",
      "",
      "#2 second",
      "#2 0.000 from b",
      "#2 0.000 more of b",
      "#2 CANCELED",
      "",
    ].join("\n"),
  );
});

test("a transfer is told at its beginning and at its end", async () => {
  const status = { kind: "status", vertex: "a", id: "transferring context:" } as const;
  const { text } = await shown([
    vertex("a", "load", { started: at(1) }),
    { ...status, current: 1000, total: 2_000_000, started: at(1), completed: at(1) },
    { ...status, current: 2_000_000, total: 2_000_000, started: at(1), completed: at(1.5) },
  ]);
  expect(text).toBe(
    [
      "#1 load",
      "#1 transferring context: 1.00kB / 2.00MB done",
      "#1 transferring context: 2.00MB / 2.00MB 0.5s done",
      "",
    ].join("\n"),
  );
});

test("a failure repeats the last lines of the step and shows those of the Dockerfile", async () => {
  const error = 'process "/bin/sh -c make" did not complete successfully: exit code: 3';
  const output = Array.from({ length: 25 }, (_, line) => `line ${line}\n`).join("");
  const { progress } = await shown([
    vertex("a", "[2/2] RUN make", { started: at(1) }),
    log("a", output, 2),
    vertex("a", "[2/2] RUN make", { started: at(1), completed: at(3), error }),
  ]);
  const report = failureReport(
    { kind: "error", message: error, ranges: [{ start: 2, end: 2 }], vertex: "a", exitCode: 3 },
    { progress, file: "Dockerfile", dockerfile: "FROM debian\nRUN make\n" },
  );
  expect(report.split("\n")).toEqual([
    "------",
    " > [2/2] RUN make:",
    ...Array.from({ length: 20 }, (_, line) => `1.000 line ${line + 5}`),
    "------",
    "Dockerfile:2",
    "--------------------",
    "   1 |     FROM debian",
    "   2 | >>> RUN make",
    "   3 |     ",
    "--------------------",
    `ERROR: failed to build: failed to solve: ${error}`,
  ]);
});

test("seconds have five characters", () => {
  expect([0, 0.0123, 0.1236, 12.345, 1234.5].map(elapsedText)).toEqual([
    "0.000",
    "0.012",
    "0.123",
    "12.35",
    "1235",
  ]);
});
