import { expect, test } from "bun:test";
import { endpointFaults, readEndpoint } from "./endpoint.ts";

const rate = (text: string) => ({ DriverOpts: { "thimble.rate": text } });

test.each([
  ["8kbit", 1_000],
  ["10mbit", 1_250_000],
  ["2.5Gbit", 312_500_000],
  ["100gbit", 12_500_000_000],
] as const)("the rate %s is %d bytes per second", (text, bytes) => {
  expect(readEndpoint(rate(text)).rate).toBe(bytes);
  expect(endpointFaults(rate(text), [])).toEqual([]);
});

test.each(["7kbit", "101gbit", "10", "10mbps", "-1mbit", "1e9bit"])(
  "%s is no rate, and refused",
  (text) => {
    expect(endpointFaults(rate(text), [])).toEqual([
      `invalid rate ${text} (thimble.rate): it is from 8kbit to 100gbit, as 10mbit`,
    ]);
  },
);

test("the check of source addresses is on unless it is turned off", () => {
  const check = (text: string) => ({ DriverOpts: { "thimble.spoof_check": text } });
  expect(readEndpoint({}).checksSources).toBe(true);
  expect(readEndpoint(check("false")).checksSources).toBe(false);
  expect(endpointFaults(check("true"), [])).toEqual([]);
  expect(endpointFaults(check("no"), [])).toEqual([
    "invalid value no of thimble.spoof_check: it is true or false",
  ]);
});
