import { expect, test } from "bun:test";
import { Fault } from "#base";
import { describeStartFailure } from "./start-failure.ts";

test.each([
  ["sh2", "ENOENT", 127, 'exec: "sh2": executable file not found in $PATH'],
  ["/sh2", "ENOENT", 127, 'exec: "/sh2": stat /sh2: no such file or directory'],
  ["/etc/passwd", "EACCES", 126, 'exec: "/etc/passwd": permission denied'],
  ["/etc", "EISDIR", 126, 'exec: "/etc": is a directory: permission denied'],
  ["/etc/passwd/x", "ENOTDIR", 127, 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory'],
  ["", "ENOENT", 127, 'exec: "": executable file not found in $PATH'],
  ["/x", "ENOEXEC", 126, "exec /x: exec format error"],
])("exec of %s with %s", (program, errno, exitCode, message) => {
  const failure = describeStartFailure(
    new Fault("internal", "x", { stage: "exec", errno }),
    program,
  );
  expect(failure).toMatchObject({
    exitCode,
    fault: { code: "invalid", message, stage: "exec", errno },
  });
});

test("a program's name is no reason for an endless message", () => {
  const fault = new Fault("internal", "x", { stage: "exec", errno: "ENOENT" });
  expect(describeStartFailure(fault, "/x".repeat(65536)).fault.message.length).toBeLessThan(700);
});

test.each([
  ["ENOENT", 127],
  ["ENOTDIR", 127],
  ["EACCES", 126],
  ["ELOOP", 128],
])("a working directory with %s", (errno, exitCode) => {
  const fault = new Fault("invalid", "change to the working directory /x", { stage: "cwd", errno });
  expect(describeStartFailure(fault, "x")).toMatchObject({
    exitCode,
    fault: { message: fault.message },
  });
});

test("a failure before the program's turn stays as it is", () => {
  const fault = new Fault("exhausted", "no space", { stage: "mount", errno: "ENOSPC" });
  expect(describeStartFailure(fault, "x")).toEqual({ exitCode: 128, fault });
});
