import { describe, expect, test } from "bun:test";
import { PassThrough } from "node:stream";
import {
  collect,
  createLog,
  endOf,
  Fault,
  faultOf,
  formatBytes,
  formatTime,
  isContainerId,
  KeyedLock,
  type LogLevel,
  lines,
  newId,
  parseBytes,
  Scope,
  shortId,
  suggest,
  systemClock,
} from "#base";
import { outcome, rejection } from "./testing.ts";

async function* chunks(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

describe("faults", () => {
  test("an error that is not a fault becomes internal and keeps its cause", () => {
    const cause = new TypeError("boom");
    expect(faultOf(cause)).toMatchObject({ code: "internal", message: "boom", cause });
    const fault = new Fault("exists", "taken", { about: "x" });
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC", path: "/x" });
    expect(faultOf(full)).toMatchObject({ code: "exhausted", errno: "ENOSPC" });
    expect(faultOf(full).message).toStartWith("no space left on the device for /x; make room");
    expect(faultOf(fault)).toBe(fault);
  });
  test("a stranger's text in one moves no terminal", () => {
    const { message } = new Fault("invalid", "\u001b[31mred\u0007\r\u009b1m\u202eback\nline\tü");
    expect(message).toBe("\\u001b[31mred\\u0007\\u000d\\u009b1m\\u202eback\nline\tü");
  });

  test("an abort is a cancellation", () => {
    expect(faultOf(AbortSignal.abort().reason).code).toBe("canceled");
  });
});

describe("ids", () => {
  test("are 64 hexadecimal digits whose short form is not a number", () => {
    for (let i = 0; i < 2000; i++) {
      const id = newId();
      expect(isContainerId(id)).toBe(true);
      expect(shortId(id)).not.toMatch(/^\d+$/);
    }
  });
  test("a digest shortens without its algorithm", () => {
    expect(shortId(`sha256:${"ab".repeat(32)}`)).toBe("abababababab");
  });
});

describe("clock", () => {
  test("prints nine digits in UTC", () => {
    expect(formatTime(1_767_323_045_000_000_006n)).toBe("2026-01-02T03:04:05.000000006Z");
  });
  test("stays within a second of the system's time", () => {
    const off = systemClock.now() - BigInt(Date.now()) * 1_000_000n;
    expect(off > -1_000_000_000n && off < 1_000_000_000n).toBe(true);
  });
});

describe("streams", () => {
  test("lines cross chunks, and the last may lack its newline", async () => {
    expect(await Array.fromAsync(lines(chunks("a\nb", "c\n", "\nd")))).toEqual([
      "a",
      "bc",
      "",
      "d",
    ]);
  });
  test("a character cut in two survives", async () => {
    const bytes = Buffer.from("é\n");
    async function* halves() {
      yield bytes.subarray(0, 1);
      yield bytes.subarray(1);
    }
    expect(await Array.fromAsync(lines(halves()))).toEqual(["é"]);
  });
  test("a line and a body beyond their limits are refused", async () => {
    expect(await outcome(Array.fromAsync(lines(chunks("x".repeat(11)), 10)))).toThrow(
      "longer than 10",
    );
    expect(await rejection(collect(chunks("abc", "def"), 5, "the body"))).toMatchObject({
      code: "exhausted",
      about: "the body",
    });
  });
});

describe("endOf", () => {
  test("the end of a stream that has ended without a reader is not waited for in vain", async () => {
    const stream = new PassThrough();
    stream.end();
    stream.resume();
    await endOf(stream);
    expect(stream.readableEnded).toBe(true);
    await endOf(stream);
  });
  test("a broken stream and one that is closed have ended, too", async () => {
    const [broken, closed] = [new PassThrough(), new PassThrough()];
    const ends = Promise.all([endOf(broken), endOf(closed)]);
    broken.destroy(new Error("broken"));
    closed.destroy();
    await ends;
    await Promise.all([endOf(broken), endOf(closed)]);
  });
});

describe("KeyedLock", () => {
  test("one key is served in order, and a failure does not block the next", async () => {
    const lock = new KeyedLock();
    const seen: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = lock.run("k", async () => {
      await gate.promise;
      seen.push("first");
      throw new Error("no");
    });
    const second = lock.run("k", async () => seen.push("second"));
    await lock.run("other", async () => seen.push("other"));
    gate.resolve();
    expect(await outcome(first)).toThrow("no");
    await second;
    expect(seen).toEqual(["other", "first", "second"]);
  });
});

describe("Scope", () => {
  test("undoes in reverse, unless released", async () => {
    const undone: number[] = [];
    {
      await using scope = new Scope();
      scope.defer(() => void undone.push(1));
      scope.defer(() => void undone.push(2));
    }
    expect(undone).toEqual([2, 1]);
    {
      await using scope = new Scope();
      scope.defer(() => void undone.push(3));
      scope.release();
    }
    expect(undone).toEqual([2, 1]);
  });
});

describe("words and sizes", () => {
  test.each([
    ["imagse", "images"],
    ["rn", "run"],
    ["rnu", "run"],
    ["zzz", undefined],
  ])("%s suggests %p", (word, want) => {
    expect(suggest(word, ["run", "images", "inspect"])).toBe(want);
  });
  test.each([
    ["6m", 6 << 20],
    ["1.5GiB", 1.5 * 2 ** 30],
    ["512", 512],
    ["4KB", 4096],
    ["m", undefined],
    ["-1", undefined],
    ["9999999p", undefined],
  ])("%s is %p bytes", (text, want) => {
    expect(parseBytes(text)).toBe(want);
  });
  test("sizes print as Docker prints them", () => {
    expect([0, 999, 1240, 77_800_000].map((each) => formatBytes(each))).toEqual([
      "0B",
      "999B",
      "1.24kB",
      "77.8MB",
    ]);
  });
});

describe("log", () => {
  test("quotes texts that need it and drops records below the level", () => {
    const out: string[] = [];
    const log = createLog("info", (line) => out.push(line.replace(/^time=\S+ /, "")));
    log.debug("hidden");
    log.warn("two words", { path: "/a b", count: 3 });
    expect(out).toEqual(['level=warn msg="two words" path="/a b" count=3\n']);
  });

  test("as JSON each record is one object, and its settings may change meanwhile", () => {
    const out: string[] = [];
    let level: LogLevel = "info";
    const log = createLog(
      () => ({ level, format: "json" }),
      (line) => out.push(line),
    );
    log.error("no room", { error: new Error("disk full"), bytes: 5n });
    level = "error";
    log.info("hidden");
    expect(out.map((line) => JSON.parse(line))).toEqual([
      { time: expect.any(String), level: "error", msg: "no room", error: "disk full", bytes: "5" },
    ]);
  });
});
