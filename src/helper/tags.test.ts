import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import * as tags from "./tags.ts";

const directory = join(import.meta.dir, "../../native/init");
const headers = ["plan.h", "wire.h"].map((file) => readFileSync(join(directory, file), "utf8"));

/** Every `PREFIX_NAME = number` of the headers' enums. */
function numbers(prefix: string): Record<string, number> {
  const pattern = new RegExp(`\\b${prefix}_([A-Z0-9_]+) = ([0-9]+)`, "g");
  const found = headers.flatMap((text) => [...text.matchAll(pattern)]);
  return Object.fromEntries(found.map((match) => [match[1], Number(match[2])]));
}

function definition(name: string): string | undefined {
  for (const text of headers) {
    const match = new RegExp(`#define ${name} (.+)`).exec(text);
    if (match) return match[1];
  }
  return undefined;
}

function ordered(names: readonly string[]): Record<string, number> {
  return Object.fromEntries(names.map((name, index) => [name.toUpperCase(), index]));
}

test("tags and frames are those of the headers", () => {
  expect<Record<string, number>>(tags.tag).toEqual(numbers("TAG"));
  expect<Record<string, number>>(tags.frame).toEqual(numbers("FRAME"));
  expect<Record<string, number>>(tags.attachTo).toEqual(numbers("ATTACH"));
  expect<Record<string, number>>(tags.stdioWith).toEqual(numbers("STDIO_WITH"));
});

test("choices are those of the headers", () => {
  expect(ordered(tags.modes)).toEqual(numbers("MODE"));
  const { KINDS, ...kinds } = numbers("NAMESPACE");
  expect(ordered(tags.namespaceKinds)).toEqual(kinds);
  expect(KINDS).toBe(tags.namespaceKinds.length);
  expect(ordered(tags.propagations)).toEqual(numbers("PROPAGATION"));
  expect(ordered(tags.creations)).toEqual(numbers("CREATE"));
  expect(ordered(tags.states)).toEqual(numbers("STATE"));
  const { "": _none, ...named } = ordered(tags.stages);
  expect(named).toEqual(numbers("STAGE"));
  const stdio = Object.entries(numbers("STDIO")).filter(([name]) => !name.startsWith("WITH_"));
  expect(ordered(tags.stdioModes)).toEqual(Object.fromEntries(stdio));
});

test("versions and limits are those of the headers", () => {
  expect(definition("PLAN_MAGIC")).toBe(`0x${tags.planMagic.toString(16)}u`);
  expect(definition("PLAN_VERSION")).toBe(`${tags.planVersion}u`);
  expect(definition("PLAN_HEADER")).toBe(`${tags.planHeader}u`);
  expect(definition("PLAN_MAX")).toBe(`(${tags.planLimits.bytes >> 20}u << 20)`);
  expect(definition("PLAN_FDS_MAX")).toBe(String(tags.planLimits.fds));
  expect(definition("PLAN_LIST_MAX")).toBe(String(tags.planLimits.list));
  expect(definition("PLAN_LOG_ATTRIBUTES_MAX")).toBe(String(tags.planLimits.logAttributes));
  expect(definition("PLAN_ID_MAX")).toBe(String(tags.planLimits.id));
  expect(definition("NO_FD")).toBe(`0x${tags.NO_FD.toString(16)}u`);
  expect(definition("PROTOCOL_VERSION")).toBe(`${tags.protocolVersion}u`);
  expect(definition("DNS_PROTOCOL_VERSION")).toBe(`${tags.dnsProtocolVersion}u`);
});
