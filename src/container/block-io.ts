import { existsSync } from "node:fs";
import { Fault } from "#base";
import { type OciBlockIO, readHostDevice } from "#runtime";
import { option, shapes, whole } from "./option.ts";

const { list, object } = shapes;

/** Of BlkioWeight and BlkioWeightDevice; 0 asks for nothing. */
function checkWeight(weight: number): void {
  if (weight === 0 || (weight >= 10 && weight <= 1000)) return;
  throw new Fault("invalid", "Range of blkio weight is from 10 to 1000", { about: `${weight}` });
}

/** The number of the block device at a path of the host; any other path is `invalid`. */
function blockDevice(path: string): { readonly major: number; readonly minor: number } {
  const device = readHostDevice(path);
  if (device?.type === "b") return { major: device.major ?? 0, minor: device.minor ?? 0 };
  const why = existsSync(path) ? "not a block device" : "no such file or directory";
  throw new Fault("invalid", `stat ${path}: ${why}`, { about: path });
}

/** BlkioWeight: the share of block devices, from 10 to 1000. */
export const blockWeight = whole({
  default: 0,
  check: checkWeight,
  effect: (draft, weight) => {
    if (weight > 0) draft.resources.blockIO.weight = weight;
  },
});

/** BlkioWeightDevice: the share of one device, in place of BlkioWeight. */
export const blockWeights = option({
  shape: list(object({ Path: shapes.text, Weight: shapes.unsigned })),
  value: (sent) =>
    (sent ?? []).map(({ Path, Weight }) => ({ path: Path ?? "", weight: Weight ?? 0 })),
  check: (all) => {
    for (const { weight } of all) checkWeight(weight);
  },
  effect: (draft, all) => {
    if (all.length === 0) return;
    draft.resources.blockIO.weightDevice = all.map(({ path, weight }) => ({
      ...blockDevice(path),
      weight,
    }));
  },
  inspect: (all, sent) =>
    sent ? all.map(({ path, weight }) => ({ Path: path, Weight: weight })) : null,
});

type ThrottleKey = Extract<keyof OciBlockIO, `throttle${string}`>;

/** One of BlkioDeviceReadBps and its kin: bytes or operations per second of one device; 0 is no limit. */
export const throttle = (key: ThrottleKey) =>
  option({
    shape: list(object({ Path: shapes.text, Rate: shapes.unsigned })),
    value: (sent) => (sent ?? []).map(({ Path, Rate }) => ({ path: Path ?? "", rate: Rate ?? 0 })),
    effect: (draft, all) => {
      if (all.length === 0) return;
      draft.resources.blockIO[key] = all.map(({ path, rate }) => ({ ...blockDevice(path), rate }));
    },
    inspect: (all, sent) =>
      sent ? all.map(({ path, rate }) => ({ Path: path, Rate: rate })) : null,
  });
