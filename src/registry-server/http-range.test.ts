import { expect, test } from "bun:test";
import { matchesTag, parseChunkRange, parseRange } from "./http-range.ts";

test("one range of bytes", () => {
  expect(parseRange("bytes=0-4", 10)).toEqual({ start: 0, end: 5 });
  expect(parseRange("bytes= 9- ", 10)).toEqual({ start: 9, end: 10 });
  expect(parseRange("bytes=-3", 10)).toEqual({ start: 7, end: 10 });
  expect(parseRange("bytes=-30", 10)).toEqual({ start: 0, end: 10 });
  expect(parseRange("bytes=5-999", 10)).toEqual({ start: 5, end: 10 });
});

test("ranges without bytes, and texts that are not ranges", () => {
  for (const header of ["bytes=10-", "bytes=999999999999999-", "bytes=-0", "bytes=4-3"]) {
    expect(parseRange(header, 10)).toBe("unsatisfiable");
  }
  expect(parseRange("bytes=-5", 0)).toBe("unsatisfiable");
  const ignored = ["bytes=0-1,3-4", "bytes=", "bytes=-", "items=0-1", "bytes=a-b"];
  for (const header of [null, "", ...ignored, `bytes=${"9".repeat(400)}-`]) {
    expect(parseRange(header, 10)).toBe("whole");
  }
});

test("a chunk's range, with and without the form of RFC 9110", () => {
  for (const header of ["5-9", "bytes 5-9/*", "bytes 5-9/10", "bytes=5-9"]) {
    expect(parseChunkRange(header)).toEqual({ start: 5, length: 5 });
  }
  for (const header of ["", "5", "5-", "-5", "9-5", "0x1-2", "1-2-3", `1-${"9".repeat(99)}`]) {
    expect(parseChunkRange(header)).toBeUndefined();
  }
});

test("entity tags, quoted, weak, bare or any", () => {
  for (const header of ['"a"', "a", 'W/"a"', '"b", "a"', "*"]) {
    expect(matchesTag(header, '"a"')).toBe(true);
  }
  for (const header of [null, "", '"b"', "b"]) expect(matchesTag(header, '"a"')).toBe(false);
});
