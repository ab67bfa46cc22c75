import { expect, test } from "bun:test";
import type { OutputPart } from "#client";
import { mergeLogs } from "./merge-logs.ts";

const at = (second: number) => `2026-01-01T00:00:${String(second).padStart(2, "0")}.000000000Z`;
const part = (second: number, text: string, stream: OutputPart["stream"] = "stdout") => ({
  stream,
  bytes: Buffer.from(`${at(second)} ${text}`),
});

async function* of(...parts: OutputPart[]): AsyncGenerator<OutputPart> {
  yield* parts;
}

const shown = (record: { index: number; text: Uint8Array }) =>
  `${record.index}:${Buffer.from(record.text)}`;

test("records come by their times, whichever log they are of", async () => {
  const first = of(part(1, "a\n"), part(4, "d\n"), part(5, "e\n", "stderr"));
  const cut = { ...part(2, ""), isCut: true };
  const second = of(cut, { stream: "stdout", bytes: Buffer.from("b\n") }, part(3, "c\n"));
  // Of a terminal: pieces that do not end where lines end.
  const terminal = of(
    { stream: "stdout", bytes: Buffer.from(`${at(2)} x\r\n${at(4)}`) },
    { stream: "stdout", bytes: Buffer.from(` y\r\n${at(6)} half`) },
  );
  const logs = [
    { parts: first, framed: true },
    { parts: second, framed: true },
    { parts: terminal, framed: false },
  ];
  const records = await Array.fromAsync(mergeLogs(logs, { follow: false }));
  expect(records.map(shown)).toEqual([
    ...["0:a\n", "1:b\n", "2:x\r\n", "1:c\n", "0:d\n", "2:y\r\n", "0:e\n", "2:half"],
  ]);
  expect(records[6]).toMatchObject({ stream: "stderr", time: at(5) });
});

test("a log that is silent does not hold up the others that are followed", async () => {
  const silent = Promise.withResolvers<void>();
  async function* late(): AsyncGenerator<OutputPart> {
    await silent.promise;
    yield part(1, "late\n");
  }
  const many = Array.from({ length: 50 }, (_, index) => part(index, `${index}\n`));
  const logs = [
    { parts: of(...many), framed: true },
    { parts: late(), framed: true },
  ];
  const begun = performance.now();
  const found: string[] = [];
  for await (const record of mergeLogs(logs, { follow: true })) {
    found.push(shown(record));
    if (found.length === 50) {
      // One wait for all of them, and not one for each.
      expect(performance.now() - begun).toBeLessThan(2500);
      silent.resolve();
    }
  }
  expect(found).toEqual([...many.map((_, index) => `0:${index}\n`), "1:late\n"]);
});
