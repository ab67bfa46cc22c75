import { describe, expect, test } from "bun:test";
import { report } from "./doctor.ts";
import { attempt, type Finding, finding } from "./finding.ts";
import { toolFindings } from "./tool-checks.ts";

const plain = (text: string) => text;
const style = { bold: plain, dim: plain, red: plain, green: plain, yellow: plain };

const there = { name: "seccomp", found: "log allow", without: "no filters", fix: "a kernel" };
const findings: readonly Finding[] = [
  finding("Kernel", { ...there, ok: true, needed: true }),
  finding("Kernel", { ...there, name: "KVM", ok: false, found: "not there" }),
  finding("Network", { ...there, name: "veth pairs", ok: false, needed: true, found: "EPERM" }),
];

describe("a finding", () => {
  test("that is well names neither consequence nor fix", () => {
    expect(findings[0]).toMatchObject({ state: "ok", consequence: "", fix: "" });
  });

  test("is missing when it is needed, and lacking otherwise", () => {
    expect(findings[1]).toMatchObject({ state: "lacking", consequence: "no filters" });
    expect(findings[2]).toMatchObject({ state: "missing", fix: "a kernel" });
  });
});

test("the report is by area, with the fix below each missing thing", () => {
  expect(report(findings, style)).toBe(`Kernel
  ok       seccomp     log allow
  lacking  KVM         not there
           without it: no filters
           to do: a kernel

Network
  MISSING  veth pairs  EPERM
           without it: no filters
           to do: a kernel

This machine cannot run thimble yet: 1 thing is missing. 1 feature is limited.
`);
  expect(report(findings.slice(0, 1), style)).toEndWith("This machine can run thimble.\n");
});

test("an attempt gives its value or the reason of its failure", async () => {
  expect(await attempt(() => 1)).toEqual({ value: 1 });
  expect(await attempt(() => Promise.reject(new Error("no")))).toEqual({ failure: "no" });
});

test("tools are looked for in absolute directories of PATH only", () => {
  const states = (path: string) => toolFindings(path).map(({ state }) => state);
  expect(states("").every((state) => state === "lacking")).toBe(true);
  expect(states(".:relative/bin").every((state) => state === "lacking")).toBe(true);
});
