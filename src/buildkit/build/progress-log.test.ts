import { expect, test } from "bun:test";
import { ProgressLog } from "./progress-log.ts";

const vertex = (name: string) => ({ vertexes: [{ name }] });
const never = new AbortController().signal;

async function namesOf(log: ProgressLog, signal = never): Promise<string[]> {
  const names: string[] = [];
  for await (const { vertexes = [] } of log.follow(signal))
    for (const { name = "" } of vertexes) names.push(name);
  return names;
}

test("who follows is told all, whether it comes early or late", async () => {
  const log = new ProgressLog();
  const early = namesOf(log);
  log.add(vertex("a"), 1);
  await Promise.resolve();
  log.add(vertex("b"), 1);
  log.end();
  log.add(vertex("c"), 1);
  expect(await early).toEqual(["a", "b"]);
  expect(await namesOf(log)).toEqual(["a", "b"]);
});

test("of a very long build the oldest is forgotten", async () => {
  const log = new ProgressLog();
  for (const name of ["a", "b", "c"]) log.add(vertex(name), 7 << 20);
  log.end();
  expect(await namesOf(log)).toEqual(["b", "c"]);
});

test("a follower that leaves is let go", async () => {
  const gone = new AbortController();
  const following = namesOf(new ProgressLog(), gone.signal);
  gone.abort();
  expect(await following).toEqual([]);
});
