import { describe, expect, test } from "bun:test";
import type { JsonMessage } from "#wire";
import { outcome } from "../base/testing.ts";
import type { Context } from "./context.ts";
import { type ProgressMode, showProgress } from "./progress.ts";
import { createStyle } from "./style.ts";
import { MemorySink } from "./testing.ts";

async function show(
  messages: readonly JsonMessage[],
  options: { readonly tty?: boolean; readonly mode?: ProgressMode } = {},
) {
  const out = new MemorySink({ isTerminal: options.tty ?? false, columns: 80 });
  const context = { out, style: createStyle(false) } as unknown as Context;
  const source = async function* () {
    yield* messages;
  };
  const id = await showProgress(context, source(), options.mode);
  return { id, text: out.text };
}

const messages: JsonMessage[] = [
  { status: "reading the index" },
  {
    id: "base-files",
    status: "downloading",
    progressDetail: { current: 1_000_000, total: 2_000_000 },
  },
  {
    id: "base-files",
    status: "downloading",
    progressDetail: { current: 2_000_000, total: 2_000_000 },
  },
  { id: "base-files", status: "unpacked" },
  { stream: "Loaded image: x\n" },
  { aux: { ID: "sha256:abc" } },
];

describe("showProgress", () => {
  test("in a pipe: a line for the stage in which packages are counted", async () => {
    const step = (status: string, current: number): JsonMessage => ({
      id: "install",
      status,
      progressDetail: { current, total: 96 },
    });
    const { text } = await show([
      step("Installing 96 packages", 0),
      step("Unpacked dpkg", 0),
      step("Configured dpkg", 1),
      { id: "install", status: "Finishing" },
    ]);
    expect(text).toBe("install: Installing 96 packages\ninstall: Finishing\n");
  });

  test("in a pipe: a line for each stage, none for each byte", async () => {
    expect(await show(messages)).toEqual({
      id: "sha256:abc",
      text: "reading the index\nbase-files: downloading\nbase-files: unpacked\nLoaded image: x\n",
    });
  });

  test("on a terminal: bars, drawn anew in their place", async () => {
    const { text } = await show(messages, { tty: true });
    expect(text).toContain("base-files: downloading [==========          ] 1MB/2MB\x1b[K\n");
    expect(text).toContain("\x1b[1A\x1b[J");
    expect(text).toEndWith("base-files: unpacked\x1b[K\n");
  });

  test("small totals count things, not bytes", async () => {
    const step = { id: "install", status: "unpacked", progressDetail: { current: 3, total: 96 } };
    expect((await show([step], { tty: true })).text).toContain("] 3/96\x1b[K");
  });

  test("quiet, and as JSON", async () => {
    expect((await show(messages, { mode: "quiet" })).text).toBe("");
    const { text } = await show(messages, { mode: "json" });
    const lines = text.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual(messages);
  });

  test("an error in the stream is the command's", async () => {
    const broken = [...messages, { error: "disk full", errorDetail: { message: "disk full" } }];
    expect(await outcome(show(broken))).toThrow("disk full");
  });
});
