import { expect, test } from "bun:test";
import { ByteProgress } from "./byte-progress.ts";
import { MemorySink } from "./testing.ts";

function followed(isTerminal: boolean) {
  const err = new MemorySink({ isTerminal });
  let now = 0;
  const progress = new ByteProgress({ err }, () => now);
  const tellAt = (time: number, done: number, total?: number) => {
    now = time;
    return progress.tell({ label: "data", done, total });
  };
  return { err, progress, tellAt };
}

test("on a terminal one line is drawn anew, ten times a second at most, and wiped at the end", async () => {
  const { err, progress, tellAt } = followed(true);
  await tellAt(0, 1000);
  await tellAt(50, 2000);
  await tellAt(100, 3000, 6000);
  await progress.end();
  expect(err.text).toBe("\rdata: 1kB\x1b[K\rdata: 3kB of 6kB (50%)\x1b[K\r\x1b[K");
});

test("elsewhere there is a line every ten seconds, and none for what is over before", async () => {
  const { err, progress, tellAt } = followed(false);
  await tellAt(9_999, 1000);
  expect(err.text).toBe("");
  await tellAt(10_000, 2000, 4000);
  await tellAt(19_999, 3000, 4000);
  await tellAt(20_000, 4000);
  await progress.end();
  expect(err.text).toBe("data: 2kB of 4kB (50%)\ndata: 4kB\n");
});
