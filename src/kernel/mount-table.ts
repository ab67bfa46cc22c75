import { readFileSync } from "node:fs";

/** A line of /proc/PID/mountinfo (proc_pid_mountinfo(5)). */
export interface MountEntry {
  readonly id: number;
  readonly parent: number;
  /** "major:minor" of the mounted file system. */
  readonly device: string;
  /** The directory of the file system that is this mount's root. */
  readonly root: string;
  readonly target: string;
  /** Per mount: "rw", "nosuid". */
  readonly options: readonly string[];
  /** "shared:2", "master:1", "propagate_from:3", "unbindable". */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: string;
  /** Per file system: "rw", "lowerdir=...". */
  readonly superOptions: readonly string[];
}

/** Space, tab, newline and backslash, in options also others, are written as `\\` and three octal digits. */
function unescapeOctal(text: string): string {
  if (!text.includes("\\")) return text;
  const bytes = Buffer.from(text);
  const out: number[] = [];
  for (let i = 0; i < bytes.length; i++) {
    const digits = bytes.toString("latin1", i + 1, i + 4);
    if (bytes[i] === 0x5c && /^[0-3][0-7]{2}$/.test(digits)) {
      out.push(Number.parseInt(digits, 8));
      i += 3;
    } else {
      out.push(bytes[i] ?? 0);
    }
  }
  return Buffer.from(out).toString("utf8");
}

/** The entries of a mountinfo file, in its order. Lines of another form are left out. */
export function parseMountTable(text: string): MountEntry[] {
  const entries: MountEntry[] = [];
  for (const line of text.split("\n")) {
    const words = line.split(" ");
    const dash = words.indexOf("-", 6);
    if (dash < 0) continue;
    const [id = "", parent = "", device = "", root = "", target = "", options = ""] = words;
    const [type = "", source = "", superOptions = ""] = words.slice(dash + 1);
    entries.push({
      id: Number(id),
      parent: Number(parent),
      device,
      root: unescapeOctal(root),
      target: unescapeOctal(target),
      options: options.split(","),
      propagation: words.slice(6, dash),
      type: unescapeOctal(type),
      source: unescapeOctal(source),
      superOptions: superOptions.split(",").map(unescapeOctal),
    });
  }
  return entries;
}

/** The mounts of this process; a mount comes after the one that it is mounted on. */
export function mountTable(): MountEntry[] {
  return parseMountTable(readFileSync("/proc/self/mountinfo", "utf8"));
}
