import { expect, test } from "bun:test";
import {
  capabilities,
  capabilityName,
  capabilityNumber,
  hasCapability,
  kernelAtLeast,
  kernelVersion,
  lastCapability,
  parseCapabilities,
} from "./machine.ts";

test("masks of /proc/PID/status", () => {
  const status =
    "Name:\tx\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t00000000a80425fb\nCapBnd:\t000001fffeffffff\n";
  expect(parseCapabilities(status)).toEqual({
    effective: 0xa80425fbn,
    permitted: 0x1ffffffffffn,
    bounding: 0x1fffeffffffn,
  });
});

test("names and numbers of capabilities", () => {
  expect(capabilityNumber("CHOWN")).toBe(0);
  expect(capabilityNumber("cap_sys_admin")).toBe(21);
  expect(capabilityNumber("CHECKPOINT_RESTORE")).toBe(40);
  expect(capabilityNumber("NOPE")).toBeUndefined();
  expect(capabilityName(24)).toBe("CAP_SYS_RESOURCE");
  expect(capabilityName(63)).toBe("CAP_63");
});

test("this process: effective within permitted, nothing above the last one", () => {
  const { effective, permitted } = capabilities();
  expect(effective & ~permitted).toBe(0n);
  expect(permitted >> BigInt(lastCapability() + 1)).toBe(0n);
  expect(hasCapability("NOPE")).toBe(false);
});

test("kernel versions", () => {
  expect(kernelVersion("6.18.44-foo")).toEqual({ major: 6, minor: 18, release: "6.18.44-foo" });
  const { major, minor } = kernelVersion();
  expect(kernelAtLeast(major, minor)).toBe(true);
  expect(kernelAtLeast(major, minor + 1)).toBe(false);
  expect(kernelAtLeast(major + 1, 0)).toBe(false);
  expect(kernelAtLeast(major - 1, 99)).toBe(true);
});
