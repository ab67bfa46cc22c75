import { existsSync, statSync } from "node:fs";
import { posix } from "node:path";
import { Fault } from "#base";
import { type OciDevice, type OciDeviceRule, readHostDevice, readHostDevices } from "#runtime";

export interface DeviceMapping {
  readonly source: string;
  readonly target: string;
  /** Letters of "rwm". */
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
    target: posix.join("/", sent.PathInContainer || source),
    permissions: sent.CgroupPermissions || "rwm",
  };
}

/**
 * The device node and its rule, or those of all devices below a directory; a path that is
 * neither on this host, or a directory without devices, is `invalid`.
 */
export function ociDevices(mapping: DeviceMapping): readonly {
  readonly device: OciDevice;
  readonly rule: OciDeviceRule;
}[] {
  const { source, target, permissions } = mapping;
  const isDirectory = statSync(source, { throwIfNoEntry: false })?.isDirectory();
  const found = isDirectory ? readHostDevices(source) : [readHostDevice(source) ?? []].flat();
  if (found.length === 0) {
    const why = existsSync(source) ? "not a device node" : "no such file or directory";
    throw new Fault(
      "invalid",
      `error gathering device information while adding custom device "${source}": ${why}`,
      { about: source },
    );
  }
  if (!/^[rwm]{1,3}$/.test(mapping.permissions)) {
    throw new Fault("invalid", `invalid device mode: ${mapping.permissions}`, {
      about: mapping.source,
    });
  }
  return found.map((device) => {
    const { type, major = 0, minor = 0, path } = device;
    return {
      device: { ...device, path: (target || source) + path.slice(source.length) },
      rule: { allow: true, type: type === "b" ? "b" : "c", major, minor, access: permissions },
    };
  });
}
