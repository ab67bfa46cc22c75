import { lstatSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { TarHeader } from "#tar";
import { TreeWriter } from "../tree-writer.ts";
import { debsTarget } from "./dpkg.ts";

/** Writes small files into a tree as its own links lead, never out of it. */
export async function writeFiles(
  root: string,
  files: readonly SmallFile[],
  mtime: Date,
): Promise<void> {
  const tree = new TreeWriter(root, "the new root file system");
  for (const file of files) await tree.put(entryOf(file, mtime));
}

export type SmallFile =
  | {
      readonly name: string;
      readonly type: "file";
      readonly mode: number;
      readonly content: string | Uint8Array;
    }
  | { readonly name: string; readonly type: "directory"; readonly mode: number }
  | { readonly name: string; readonly type: "symlink"; readonly linkName: string };

function entryOf(file: SmallFile, mtime: Date): TarHeader & { body: AsyncIterable<Uint8Array> } {
  const content = file.type === "file" ? Buffer.from(file.content) : Buffer.alloc(0);
  return {
    name: file.name,
    type: file.type,
    mode: file.type === "symlink" ? 0o777 : file.mode,
    uid: 0,
    gid: 0,
    size: content.byteLength,
    mtime: BigInt(mtime.getTime()) * 1_000_000n,
    linkName: file.type === "symlink" ? file.linkName : "",
    body: (async function* () {
      yield content;
    })(),
  };
}

/** Architectures whose dynamic loader is found under /lib64. */
const withLib64 = new Set(["amd64", "loong64", "mips64el", "ppc64", "ppc64el"]);

/**
 * The files that exist before the first package is unpacked: links of a merged /usr, which the
 * packages of bookworm and before expect to find (base-files brings them itself since trixie), and
 * dpkg's empty database.
 */
export function skeleton(architecture: string): SmallFile[] {
  const merged = ["bin", "sbin", "lib", ...(withLib64.has(architecture) ? ["lib64"] : [])];
  return [
    ...merged.flatMap((name): SmallFile[] => [
      { name: `usr/${name}`, type: "directory", mode: 0o755 },
      { name, type: "symlink", linkName: `usr/${name}` },
    ]),
    ...["alternatives", "info", "parts", "triggers", "updates"].map(
      (name): SmallFile => ({ name: `var/lib/dpkg/${name}`, type: "directory", mode: 0o755 }),
    ),
    { name: "var/lib/dpkg/status", type: "file", mode: 0o644, content: "" },
    { name: "var/lib/dpkg/available", type: "file", mode: 0o644, content: "" },
    { name: "tmp", type: "directory", mode: 0o1777 },
  ];
}

/** Stands while packages are installed: keeps invoke-rc.d from starting services (status 101: "action forbidden by policy"). */
export const policyRcD: SmallFile = {
  name: "usr/sbin/policy-rc.d",
  type: "file",
  mode: 0o755,
  content: "#!/bin/sh\nexit 101\n",
};

/**
 * Files that an image does not carry: traces of its making, caches, this machine's identity. Runs
 * inside, where a link leads nowhere else.
 */
export const cleanupScript = `
rm -rf ${debsTarget} /usr/sbin/policy-rc.d
rm -rf /tmp/* /tmp/.[!.]* /var/tmp/*
rm -f /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/ldconfig/aux-cache
rm -f /var/log/dpkg.log /var/log/alternatives.log /var/log/bootstrap.log /var/log/apt/*
rm -f /var/cache/debconf/*-old /var/lib/dpkg/*-old
rm -f /var/lib/dbus/machine-id /var/lib/systemd/random-seed
for entry in /run/*; do
  case $entry in /run/lock) ;; *) rm -rf "$entry" 2>/dev/null || : ;; esac
done
if [ -e /etc/machine-id ]; then : > /etc/machine-id; fi
`;

/**
 * How apt and dpkg behave in a container: caches of indexes and downloaded packages are not kept, translations
 * are not fetched, and nothing waits for the disk. Without it every image in whose making apt took part
 * has some 80 MB more. The names are those of Docker's Debian images: a Dockerfile
 * that keeps downloads in a cache mount removes `docker-clean`.
 */
export const containerConfiguration: readonly SmallFile[] = [
  {
    name: "etc/apt/apt.conf.d/docker-clean",
    type: "file",
    mode: 0o644,
    content: `Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
`,
  },
  {
    name: "etc/apt/apt.conf.d/docker-no-languages",
    type: "file",
    mode: 0o644,
    content: 'Acquire::Languages "none";\n',
  },
  {
    name: "etc/dpkg/dpkg.cfg.d/docker-apt-speedup",
    type: "file",
    mode: 0o644,
    content: "force-unsafe-io\n",
  },
];

/** Files that a container's start leaves behind as places to mount on; a package would have put something into them. */
const mountPoints = ["resolv.conf", "hostname", "hosts"];

/** Removes those again, once nothing runs in the tree any more. */
export function removeMountPoints(root: string): void {
  const etc = join(root, "etc");
  if (!lstatSync(etc).isDirectory()) return;
  for (const name of mountPoints) {
    const found = lstatSync(join(etc, name), { throwIfNoEntry: false });
    if (found?.isFile() && found.size === 0) unlinkSync(join(etc, name));
  }
}

/** A source of apt's in an image. */
export interface ImageSource {
  readonly uri: string;
  readonly suites: readonly string[];
  /** Path inside the image. */
  readonly signedBy: string;
  readonly checkValidUntil: boolean;
}

/** The text of a `.sources` file (deb822 form of sources.list(5)). */
export function renderSources(sources: readonly ImageSource[]): string {
  return sources
    .map(({ uri, suites, signedBy, checkValidUntil }) =>
      [
        "Types: deb",
        `URIs: ${uri}`,
        `Suites: ${suites.join(" ")}`,
        "Components: main",
        ...(checkValidUntil ? [] : ["Check-Valid-Until: no"]),
        `Signed-By: ${signedBy}`,
        "",
      ].join("\n"),
    )
    .join("\n");
}

/** apt's record of what came along as a dependency (/var/lib/apt/extended_states). */
export function renderExtendedStates(names: readonly string[], architecture: string): string {
  return names
    .map((name) => `Package: ${name}\nArchitecture: ${architecture}\nAuto-Installed: 1\n\n`)
    .join("");
}
