import { expect, test } from "bun:test";
import { describeContainer } from "#container";
import type { Machine } from "#runtime";
import type { ContainerRecord } from "../containers/container-record.ts";
import { execSpec } from "./exec-spec.ts";

const machine: Machine = { capabilities: (1n << 41n) - 1n, lowerdirPlus: true, cgroupVersion: 2 };
const user = { uid: 0, gid: 0, additionalGids: [0], home: "/root" };

function containerWith(Env: string[]): ContainerRecord {
  const sent = { Config: { Image: "i", Cmd: ["x"], Env }, HostConfig: {} };
  const files = { hostname: "", hosts: "", resolvConf: "" };
  return { id: "1".repeat(64), files, ...describeContainer(sent, {}) } as never;
}

function requestOf(argv: readonly string[]) {
  const attached = { attachStdin: false, attachStdout: true, attachStderr: true };
  return { argv, env: [], workingDir: "", user: "", privileged: false, tty: false, ...attached };
}

test("a request that is made again is described once, while its container and its user are the same", () => {
  const record = containerWith(["A=1"]);
  const request = requestOf(["probe"]);
  const first = execSpec(machine, record, { request, user });
  expect(first.process.args).toEqual(["probe"]);
  expect(execSpec(machine, { ...record }, { request, user: { ...user } })).toBe(first);
  expect(execSpec(machine, record, { request: requestOf(["probe"]), user })).toBe(first);
  const terminal = execSpec(machine, record, { request: { ...request, tty: true }, user });
  expect(terminal.process.terminal).toBe(true);
  const other = execSpec(machine, record, { request, user: { ...user, uid: 7 } });
  expect(other.process.user?.uid).toBe(7);
  const changed = execSpec(machine, containerWith(["A=2"]), { request, user });
  expect(changed.process.env).toContain("A=2");
});

test("the last four descriptions of a container are kept", () => {
  const record = containerWith([]);
  const describe = (program: string) =>
    execSpec(machine, record, { request: requestOf([program]), user });
  const [first, second] = [describe("a"), describe("b")];
  for (const program of ["c", "d", "e"]) describe(program);
  expect(describe("b")).toBe(second);
  expect(describe("a")).not.toBe(first);
});
