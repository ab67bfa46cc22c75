import { expect, test } from "bun:test";
import { constants } from "node:os";
import type { FaultCode } from "#base";
import { check, errnoFault, errnoName } from "./errno.ts";

test("each errno has its code", () => {
  const expected: Record<FaultCode, string[]> = {
    not_found: ["ENOENT", "ESRCH"],
    exists: ["EEXIST"],
    denied: ["EACCES", "EPERM"],
    exhausted: ["ENOSPC", "EDQUOT", "EMFILE", "ENFILE", "ENOMEM"],
    unavailable: ["EBUSY", "EAGAIN"],
    invalid: ["EINVAL", "ENAMETOOLONG", "ELOOP", "ENOTDIR", "EISDIR"],
    unsupported: ["ENOSYS", "EOPNOTSUPP"],
    data_loss: ["EIO"],
    timeout: ["ETIMEDOUT"],
    internal: ["EBADF", "ENOTTY"],
    conflict: [],
    not_modified: [],
    unauthenticated: [],
    canceled: [],
  };
  const errnos: Readonly<Record<string, number>> = constants.errno;
  for (const [code, names] of Object.entries(expected))
    for (const name of names) {
      const fault = errnoFault(errnos[name] ?? 0, { call: "x", verb: "try" });
      expect([name, fault.code, fault.errno]).toEqual([name, code as FaultCode, name]);
    }
});

test("the message says what was tried, on what, why, and what to do", () => {
  const fault = errnoFault(constants.errno.EBUSY, {
    call: "umount2",
    verb: "unmount",
    about: "/mnt",
    hint: "stop what uses it",
  });
  expect(fault.message).toBe(
    "cannot unmount /mnt: it is in use (umount2: EBUSY); stop what uses it",
  );
  expect(fault.about).toBe("/mnt");
});

test("the kernel's own words go before ours, and an unknown number is told", () => {
  const attempt = { call: "fsconfig", verb: "mount", detail: "overlay: no lower layer" };
  expect(errnoFault(constants.errno.EINVAL, attempt).message).toBe(
    "cannot mount: overlay: no lower layer (fsconfig: EINVAL)",
  );
  expect(errnoName(4000)).toBe("errno 4000");
});

test("results pass, negated errnos do not", () => {
  expect(check(7, { call: "x", verb: "try" })).toBe(7);
  expect(() => check(-constants.errno.ENOENT, { call: "x", verb: "try" })).toThrow("no such file");
});
