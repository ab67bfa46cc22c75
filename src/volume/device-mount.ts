import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { defined, Fault, faultOf, isFault } from "#base";
import { knowsFileSystem, type Mount, mountAll } from "#kernel";
import type { Volume } from "./contract.ts";

/** The mount that a volume's options ask for; undefined for a plain directory. */
function mountOf({ options = {} }: Volume): Mount | undefined {
  const { type, device, o = "" } = options;
  if (!type || !device) return undefined;
  const words = o.split(",").filter(Boolean);
  const isBind = words.includes("bind") || words.includes("rbind");
  return { type: isBind ? "bind" : type, source: device, options: words };
}

/** Whether it is more than a plain directory. */
export function isMount(volume: Volume): boolean {
  return volume.driver !== "local" || mountOf(volume) !== undefined;
}

/**
 * Makes the volume's mount on its directory. The fault has the words of Docker's local driver, and
 * the kernel's reason; a file system that this kernel does not have is named.
 */
export async function mountDevice(volume: Volume): Promise<void> {
  const mount = mountOf(volume);
  if (!mount) return;
  try {
    if (mount.type !== "bind" && !knowsFileSystem(mount.type))
      throw new Fault(
        "unsupported",
        `this kernel has no file system ${JSON.stringify(mount.type)}; load its module, or use another type`,
      );
    await mountAll([await withAddress(mount)], volume.path);
  } catch (error) {
    const fault = faultOf(error);
    const data = mount.options.length > 0 ? `, data: ${volume.options?.o}` : "";
    throw new Fault(
      isFault(error, "unsupported") ? "unsupported" : "invalid",
      `error while mounting volume '${volume.path}': failed to mount local volume: mount ${mount.source}:${volume.path}${withoutPassword(data)}: ${withoutPassword(fault.message)}`,
      { about: volume.name, cause: error, ...defined({ errno: fault.errno || undefined }) },
    );
  }
}

function withoutPassword(text: string): string {
  return text.replace(/\b(password|pass)=[^,]*/g, "$1=********");
}

/** The kernel's NFS and CIFS take the address of a server and no name, which mount.nfs(8) would look up. */
async function withAddress(mount: Mount): Promise<Mount> {
  if (!/^(nfs4?|cifs)$/.test(mount.type)) return mount;
  const resolve = async (option: string) => {
    const host = /^addr=(.+)$/.exec(option)?.[1];
    if (host === undefined || isIP(host) !== 0) return option;
    return `addr=${(await lookup(host)).address}`;
  };
  return { ...mount, options: await Promise.all(mount.options.map(resolve)) };
}
