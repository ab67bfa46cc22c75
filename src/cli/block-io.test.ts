import { expect, test } from "bun:test";
import { deviceRate, deviceWeight } from "./block-io.ts";

test("weights and rates of devices are read as docker reads them", () => {
  expect(deviceWeight("/dev/sda:500")).toEqual({ Path: "/dev/sda", Weight: 500 });
  expect(deviceRate("device-read-bps")("/dev/sda:1mb")).toEqual({
    Path: "/dev/sda",
    Rate: 1 << 20,
  });
  expect(deviceRate("device-write-iops")("/dev/sda:30")).toEqual({ Path: "/dev/sda", Rate: 30 });
});

test.each([
  ["/dev/sda", "bad format"],
  ["sda:1", "bad format for device path"],
  ["/dev/sda:x", "invalid rate"],
  ["/dev/sda:1mb", "invalid rate"],
  ["/dev/sda:1:2", "bad format"],
])("the rate %s is refused", (word, why) => {
  expect(() => deviceRate("device-read-iops")(word)).toThrow(why);
  if (why !== "invalid rate") expect(() => deviceWeight(word)).toThrow(why);
});

test("a weight has bounds", () => {
  expect(() => deviceWeight("/dev/sda:5")).toThrow("invalid weight");
});
