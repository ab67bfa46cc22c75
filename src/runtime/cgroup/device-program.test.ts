import { describe, expect, test } from "bun:test";
import { defaultDeviceRules, privilegedDeviceRules } from "../device.ts";
import type { OciDeviceRule } from "../oci-resources.ts";
import { compileDeviceProgram } from "./device-program.ts";

interface Access {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  /** Of the letters "rwm". */
  readonly access: string;
}

/** Runs the few instructions that device programs consist of; throws for any other. */
function run(program: Uint8Array, { type, major, minor, access }: Access): boolean {
  const view = new DataView(program.buffer);
  const bits = [...access].reduce((sum, letter) => sum | { m: 1, r: 2, w: 4 }[letter as "m"], 0);
  const context = [(type === "b" ? 1 : 2) | (bits << 16), major, minor];
  const registers = new Array<number>(11).fill(0);
  for (let at = 0; ; at++) {
    const code = view.getUint8(at * 8);
    const to = view.getUint8(at * 8 + 1) & 15;
    const from = registers[view.getUint8(at * 8 + 1) >> 4] ?? 0;
    const offset = view.getInt16(at * 8 + 2, true);
    const constant = view.getInt32(at * 8 + 4, true);
    const value = registers[to] ?? 0;
    if (code === 0x95) return registers[0] === 1;
    if (code === 0x61) registers[to] = context[offset / 4] ?? Number.NaN;
    else if (code === 0xbc) registers[to] = from;
    else if (code === 0xb7) registers[to] = constant;
    else if (code === 0x54) registers[to] = value & constant;
    else if (code === 0x74) registers[to] = value >>> constant;
    else if (code === 0x15) at += value === constant ? offset : 0;
    else if (code === 0x55) at += value === constant ? 0 : offset;
    else throw new Error(`instruction ${at} is 0x${code.toString(16)}`);
  }
}

function allowed(rules: readonly OciDeviceRule[], access: Access): boolean {
  const program = compileDeviceProgram(rules);
  return program === undefined || run(program, access);
}

const c = (major: number, minor: number, access: string): Access => ({
  type: "c",
  major,
  minor,
  access,
});

describe("device rules as a program", () => {
  test("a container's defaults", () => {
    const may = (access: Access) => allowed(defaultDeviceRules, access);
    for (const access of ["r", "w", "rw", "m"]) expect(may(c(1, 3, access))).toBe(true);
    expect(may(c(136, 7, "rw"))).toBe(true);
    expect(may(c(5, 2, "rw"))).toBe(true);
    expect(may(c(1, 1, "r"))).toBe(false);
    expect(may(c(10, 229, "rw"))).toBe(false);
    expect(may({ type: "b", major: 254, minor: 0, access: "r" })).toBe(false);
    // Nodes of any kind can be made, only not opened.
    expect(may({ type: "b", major: 254, minor: 0, access: "m" })).toBe(true);
    expect(may({ type: "b", major: 1, minor: 3, access: "rw" })).toBe(false);
  });

  test("a privileged container needs none", () => {
    expect(compileDeviceProgram(privilegedDeviceRules)).toBeUndefined();
    expect(compileDeviceProgram([])).toBeUndefined();
  });

  const rule = (allow: boolean, text: string): OciDeviceRule => {
    const [type = "", numbers = "", access = ""] = text.split(" ");
    const [major = -1, minor = -1] = numbers.split(":").map((n) => (n === "*" ? -1 : Number(n)));
    return { allow, type: type as "a", major, minor, access };
  };
  const denyAll = rule(false, "a *:* rwm");

  test("an allowed entry must cover the whole access", () => {
    const rules = [denyAll, rule(true, "c 1:3 r"), rule(true, "c 1:*  m")];
    expect(allowed(rules, c(1, 3, "r"))).toBe(true);
    expect(allowed(rules, c(1, 3, "rw"))).toBe(false);
  });

  test("rules of one device add up and can be taken back", () => {
    const both = [denyAll, rule(true, "c 1:3 r"), rule(true, "c 1:3 w")];
    expect(allowed(both, c(1, 3, "rw"))).toBe(true);
    expect(allowed([...both, rule(false, "c 1:3 w")], c(1, 3, "rw"))).toBe(false);
    expect(allowed([...both, rule(false, "c 1:3 w")], c(1, 3, "r"))).toBe(true);
    expect(allowed([...both, denyAll], c(1, 3, "r"))).toBe(false);
  });

  test("a denied entry among allowed ones refuses any part of the access", () => {
    const rules = [rule(true, "a *:* rwm"), rule(false, "b 8:* w")];
    const disk = (access: string): Access => ({ type: "b", major: 8, minor: 1, access });
    expect(allowed(rules, disk("r"))).toBe(true);
    expect(allowed(rules, disk("rw"))).toBe(false);
    expect(allowed(rules, c(8, 1, "w"))).toBe(true);
  });
});
