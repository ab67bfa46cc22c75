import { Fault, parseBytes } from "#base";
import type { VolumeRequest } from "./contract.ts";

const longestName = 255;

/**
 * Checks a name that a user chose; `invalid` in the words of Docker's local driver. It becomes the
 * name of a directory.
 */
export function checkName(name: string): void {
  const refuse = (why: string): never => {
    throw new Fault("invalid", `create ${name}: ${why}`, { about: name });
  };
  if (name.length === 1)
    refuse("volume name is too short, names should be at least two alphanumeric characters");
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
    refuse(
      `${JSON.stringify(name)} includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    );
  if (name.length > longestName)
    refuse(`the name has ${name.length} characters, and a directory's has at most ${longestName}`);
}

const ofMount: readonly string[] = ["type", "device", "o"];

/** Checks driver and options; `not_found` and `invalid` in Docker's words. */
export function checkDriver(name: string, { driver, options = {} }: VolumeRequest): void {
  if (driver && driver !== "local")
    throw new Fault(
      "not_found",
      `create ${name}: error looking up volume plugin ${driver}: plugin ${JSON.stringify(driver)} not found`,
      { about: driver },
    );
  const refuse = (why: string): never => {
    throw new Fault("invalid", `create ${name}: ${why}`, { about: name });
  };
  for (const [key, value] of Object.entries(options)) {
    if (key !== "size" && !ofMount.includes(key)) refuse(`invalid option: ${JSON.stringify(key)}`);
    if (value.includes("\0")) refuse(`the option ${JSON.stringify(key)} holds a NUL character`);
  }
  const isMount = Object.keys(options).some((key) => ofMount.includes(key));
  if (options.size !== undefined) {
    if (parseBytes(options.size) === undefined) refuse(`invalid size: '${options.size}'`);
    if (isMount)
      refuse(
        "the option size limits a directory of the data root; a mount has its own, as o=size=1g",
      );
  }
  if (!isMount) return;
  if (!options.device) refuse('missing required option: "device"');
  if (!options.type) refuse('missing required option: "type"');
}
