import { expect, test } from "bun:test";
import { signalName, signalNumber } from "./signals.ts";

test("names with and without SIG, in any case, and numbers", () => {
  for (const text of ["TERM", "SIGTERM", "sigterm", "15", " 15 "])
    expect(signalNumber(text)).toBe(15);
  expect(signalNumber(9)).toBe(9);
  expect(signalNumber("WINCH")).toBe(28);
});

test("real-time signals count from 34 up and from 64 down", () => {
  expect(signalNumber("SIGRTMIN")).toBe(34);
  expect(signalNumber("RTMIN+3")).toBe(37);
  expect(signalNumber("RTMAX-1")).toBe(63);
  expect(signalNumber("RTMAX+1")).toBeUndefined();
  expect(signalNumber("RTMIN-1")).toBeUndefined();
});

test("texts that are not signals", () => {
  for (const text of ["", "0", "65", "-9", "9x", "SIG", "NOPE", "SIGSIGTERM", "RTMIN+"])
    expect(signalNumber(text)).toBeUndefined();
});

test("every number has a name that gives the number back", () => {
  for (let number = 1; number <= 64; number++)
    if (number !== 32 && number !== 33) expect(signalNumber(signalName(number))).toBe(number);
  expect([6, 15, 17, 29, 34, 37, 64].map(signalName)).toEqual([
    "SIGABRT",
    "SIGTERM",
    "SIGCHLD",
    "SIGIO",
    "SIGRTMIN",
    "SIGRTMIN+3",
    "SIGRTMAX",
  ]);
});
