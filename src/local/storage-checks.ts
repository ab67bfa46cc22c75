import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { formatBytes } from "#base";
import { knowsFileSystem, overlayTakesLowerdirPlus, statfs } from "#kernel";
import { attempt, type Finding, finding } from "./finding.ts";

/** statfs(2): what overlay refuses as a place for its upper layer, and why people meet it. */
const unfit = new Map([
  [0x794c7630, "overlay (inside another container)"],
  [0x6969, "NFS"],
  [0x4d44, "FAT"],
  [0xff534d42, "CIFS"],
  [0xfe534d42, "SMB2"],
  [0x01021997, "9p"],
]);

const enough = 2 * 2 ** 30;

/**
 * Looks at the file systems that hold the two roots, or that would hold them once they are made.
 */
export async function storageFindings(dataRoot: string, runRoot: string): Promise<Finding[]> {
  const overlay = await attempt(() => knowsFileSystem("overlay"));
  const known = "value" in overlay && overlay.value;
  const plus = await attempt(() => overlayTakesLowerdirPlus());
  const place = existing(dataRoot);
  const usage = statfs(place);
  const bad = unfit.get(usage.type);
  const run = existing(runRoot);
  return [
    finding("Storage", {
      name: "overlay",
      ok: known,
      needed: true,
      found: known ? "there" : "failure" in overlay ? overlay.failure : "not there",
      without: "images cannot be stacked and shared by containers",
      fix: "modprobe overlay, as root",
    }),
    finding("Storage", {
      name: "overlay lowerdir+",
      ok: "value" in plus && plus.value,
      found: "value" in plus && plus.value ? "there" : "missing (Linux 6.8 has it)",
      without: "images of very many layers may not fit into one mount",
      fix: "install a newer kernel, if you ever meet that",
    }),
    finding("Storage", {
      name: "data root",
      ok: bad === undefined,
      needed: true,
      found: bad === undefined ? dataRoot : `${dataRoot} is on ${bad}`,
      without: "overlay takes no upper layer there",
      fix: "thimble daemon --data-root DIR, with DIR on ext4, xfs or btrfs",
    }),
    finding("Storage", {
      name: "disk space",
      ok: usage.available > enough,
      found: `${formatBytes(usage.available)} free of ${formatBytes(usage.total)} at ${place}`,
      without: "a Debian image takes about 300 MB while it is made",
      fix: "free some space (thimble container prune, thimble image prune), or use another --data-root",
    }),
    finding("Storage", {
      name: "run root",
      ok: statfs(run).type === 0x01021994,
      found: statfs(run).type === 0x01021994 ? `${run} (tmpfs)` : `${run} is not a tmpfs`,
      without: "sockets and records of a boot outlive it; they are told apart, and take space",
      fix: "thimble daemon --run-root DIR, with DIR on a tmpfs",
    }),
  ];
}

/** The path, or the nearest directory above it that exists. */
function existing(path: string): string {
  return existsSync(path) || path === "/" ? path : existing(dirname(path));
}
