import { accessSync, constants, existsSync } from "node:fs";
import { join } from "node:path";
import { hostMirror } from "#rootfs";
import { attempt, type Finding, finding } from "./finding.ts";

const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** The needs of `mkimage debootstrap` on the host: a mirror and Debian's keys. */
export async function imageFindings(): Promise<Finding[]> {
  const mirror = await attempt(() => hostMirror());
  return [
    finding("Images", {
      name: "Debian mirror",
      ok: "value" in mirror,
      found: "value" in mirror ? mirror.value.mirror : "none in the apt sources",
      without: "mkimage debootstrap has to be told one",
      fix: "thimble mkimage ... debootstrap --mirror=URL SUITE",
    }),
    finding("Images", {
      name: "Debian keyring",
      ok: existsSync(keyring),
      found: existsSync(keyring) ? keyring : "not there",
      without: "mkimage debootstrap cannot verify packages",
      fix: "apt install debian-archive-keyring, or --keyring=FILE",
    }),
  ];
}

interface Tool {
  readonly names: readonly string[];
  readonly without: string;
  readonly fix: string;
}

/** The release runs without any of them. */
const tools: readonly Tool[] = [
  {
    names: ["cc", "gcc", "clang"],
    without: "thimble cannot be built from its sources",
    fix: "apt install gcc libc6-dev",
  },
  { names: ["make"], without: "thimble cannot be built from its sources", fix: "apt install make" },
  {
    names: ["musl-gcc"],
    without: "the static helper cannot be built from its sources",
    fix: "apt install musl-tools",
  },
  {
    names: ["qemu-system-x86_64", "qemu-system-aarch64"],
    without: "no tests in a guest with pure cgroup v2; no isolation by virtual machines",
    fix: "apt install qemu-system-x86",
  },
];

/** Programs of others that some features call, looked up in `path`. */
export function toolFindings(path = process.env.PATH ?? ""): Finding[] {
  const directories = path.split(":").filter((directory) => directory.startsWith("/"));
  return tools.map(({ names, without, fix }) => {
    const found = names.flatMap((name) => directories.map((directory) => join(directory, name)));
    const program = found.find(isExecutable);
    const [name = ""] = names;
    return finding("Tools", {
      name,
      ok: program !== undefined,
      found: program ?? "not there",
      without,
      fix,
    });
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
