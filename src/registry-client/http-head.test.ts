import { expect, test } from "bun:test";
import { isFault } from "#base";
import { random, rounds } from "../base/testing.ts";
import { parseChallenges } from "./challenge.ts";
import { bodyFraming, parseHead } from "./http-head.ts";

const parse = (text: string) => parseHead(Buffer.from(text, "latin1"), "it");

test("a head: status, reason, fields that repeat", () => {
  const head = parse("HTTP/1.1 200 All right\r\nA: 1\r\na:  2 \r\nEmpty:");
  expect(head).toMatchObject({ status: 200, reason: "All right", keepAlive: true });
  expect(head.headers.get("a")).toBe("1, 2");
  expect(head.headers.all("a")).toEqual(["1", "2"]);
  expect(head.headers.get("empty")).toBe("");
  expect(head.headers.get("none")).toBeUndefined();
  expect(parse("HTTP/1.0 200 x").keepAlive).toBe(false);
  expect(parse("HTTP/1.1 200\r\nConnection: keep-alive, Close").keepAlive).toBe(false);
});

test.each([
  ["GET", "HTTP/1.1 200\r\nContent-Length: 5", "length"],
  ["HEAD", "HTTP/1.1 200\r\nContent-Length: 5", "none"],
  ["GET", "HTTP/1.1 204 x", "none"],
  ["GET", "HTTP/1.1 200 x", "close"],
  ["GET", "HTTP/1.1 200\r\nContent-Length: 5\r\nTransfer-Encoding: Chunked", "chunked"],
  ["GET", "HTTP/1.1 200\r\nContent-Length: 5\r\nContent-Length: 5", "length"],
])("%s with %p has a body by %s", (method, text, kind) => {
  expect(bodyFraming(method, parse(text), "it").kind as string).toBe(kind);
});

test("heads of any bytes give a value or a Fault", () => {
  const pick = random(17);
  const parts = [
    "HTTP/1.1 ",
    "200",
    " ",
    "\r\n",
    "\n",
    "Content-Length",
    ":",
    "5",
    "-1",
    "Transfer-Encoding",
    "chunked",
    "\0",
    "\xff",
    "x".repeat(50),
    "\t",
    ";",
  ];
  let taken = 0;
  for (let round = 0; round < rounds(4000, 200_000); round++) {
    let text = pick(4) > 0 ? "HTTP/1.1 200 x\r\n" : "";
    for (let i = pick(8); i > 0; i--) text += parts[pick(parts.length)];
    try {
      bodyFraming("GET", parse(text), "it");
      taken++;
    } catch (error) {
      if (!isFault(error)) throw new Error(`${String(error)} for ${JSON.stringify(text)}`);
    }
    parseChallenges([text.slice(16)]);
  }
  expect(taken).toBeGreaterThan(50);
});

test("a challenge of any length is read in a moment", () => {
  const long = `Bearer ${'a="\\"'.repeat(50_000)}`;
  expect(parseChallenges([long, " ".repeat(100_000), ",".repeat(100_000)]).length).toBe(1);
});

test("a field of any length is read in a moment", () => {
  const value = `x${" ".repeat(200 << 10)}y`;
  const head = parse(`HTTP/1.1 200\r\nA:\t ${value} \t\r\nB:${" ".repeat(200 << 10)}`);
  expect(head.headers.get("a")).toBe(value);
  expect(head.headers.get("b")).toBe("");
  expect(() => parse("HTTP/1.1 200\r\nA: x\ry")).toThrow("malformed");
});
