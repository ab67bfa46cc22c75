import { afterEach, beforeEach, expect, jest, test } from "bun:test";
import { silentLog } from "#base";
import type { CreateRequest } from "#engine";
import { rehearseCreate } from "./rehearsal.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test("a rehearsal goes on by itself until it is ended", () => {
  const seen: CreateRequest[] = [];
  const end = rehearseCreate(
    {
      containers: {
        rehearse(request) {
          if (seen.push(request) === 3) end();
        },
      },
    },
    silentLog,
  );
  jest.advanceTimersByTime(1_000);
  expect(seen.length).toBe(3);
  expect(seen[2]?.sent.HostConfig).toEqual({ AutoRemove: true, NetworkMode: "default" });
});

test("one that fails says so and is not tried again", () => {
  const said: unknown[] = [];
  let count = 0;
  rehearseCreate(
    {
      containers: {
        rehearse() {
          count++;
          throw new Error("no such network");
        },
      },
    },
    { ...silentLog, warn: (_, fields) => void said.push(fields) },
  );
  jest.advanceTimersByTime(1_000);
  expect(said).toEqual([{ error: "no such network" }]);
  expect(count).toBe(1);
});
