import { Fault } from "#base";
import { type OciDevice, type OciDeviceRule, readHostDevice } from "#runtime";

export interface DeviceMapping {
  readonly source: string;
  readonly target: string;
  /** Of the letters "rwm". */
  readonly permissions: string;
}

/** An entry of HostConfig.Devices with Docker's defaults. */
export function parseDevice(sent: {
  readonly PathOnHost?: string | null | undefined;
  readonly PathInContainer?: string | null | undefined;
  readonly CgroupPermissions?: string | null | undefined;
}): DeviceMapping {
  const source = sent.PathOnHost ?? "";
  return {
    source,
    target: sent.PathInContainer || source,
    permissions: sent.CgroupPermissions || "rwm",
  };
}

/** The device node and its rule; a path that is not a device of this host is `invalid`. */
export function ociDevice(mapping: DeviceMapping): {
  readonly device: OciDevice;
  readonly rule: OciDeviceRule;
} {
  const found = readHostDevice(mapping.source);
  if (!found || (found.type !== "c" && found.type !== "b")) {
    throw new Fault(
      "invalid",
      `error gathering device information while adding custom device "${mapping.source}": no such file or directory, or not a device`,
      { about: mapping.source },
    );
  }
  if (!/^[rwm]{1,3}$/.test(mapping.permissions)) {
    throw new Fault("invalid", `invalid device mode: ${mapping.permissions}`, {
      about: mapping.source,
    });
  }
  const { major = 0, minor = 0 } = found;
  return {
    device: { ...found, path: mapping.target || mapping.source },
    rule: { allow: true, type: found.type, major, minor, access: mapping.permissions },
  };
}
