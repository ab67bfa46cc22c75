import { Fault, parseBytes } from "#base";

/** "PATH:WEIGHT" of `--blkio-weight-device`. */
export function deviceWeight(word: string): { Path: string; Weight: number } {
  const { path, rest } = split(word, "blkio-weight-device", "<device-path>:<weight>");
  const weight = Number(rest);
  if (!/^\d+$/.test(rest) || (weight > 0 && (weight < 10 || weight > 1000)))
    throw invalid(word, "blkio-weight-device", `invalid weight for device: ${word}`);
  return { Path: path, Weight: weight };
}

type RateFlag = "device-read-bps" | "device-write-bps" | "device-read-iops" | "device-write-iops";

/** "PATH:RATE": bytes a second with an optional unit, or operations a second. */
export function deviceRate(flag: RateFlag): (word: string) => { Path: string; Rate: number } {
  const isBytes = flag.endsWith("bps");
  return (word) => {
    const form = `<device-path>:<number>${isBytes ? "[<unit>]" : ""}`;
    const { path, rest } = split(word, flag, form);
    const rate = isBytes ? parseBytes(rest) : /^\d+$/.test(rest) ? Number(rest) : undefined;
    if (rate === undefined)
      throw invalid(word, flag, `invalid rate for device: ${word}. The correct format is ${form}`);
    return { Path: path, Rate: rate };
  };
}

function split(word: string, flag: string, form: string): { path: string; rest: string } {
  const [path = "", rest, more] = word.split(":");
  if (rest === undefined || more !== undefined)
    throw invalid(word, flag, `bad format: ${word}: use ${form}`);
  if (!path.startsWith("/dev/")) throw invalid(word, flag, `bad format for device path: ${word}`);
  return { path, rest };
}

function invalid(word: string, flag: string, why: string): Fault {
  return new Fault("invalid", `invalid argument "${word}" for "--${flag}" flag: ${why}`, {
    about: word,
  });
}
