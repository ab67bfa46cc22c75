import { chmod, copyFile, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { join } from "node:path";
import { type Library, openLibrary } from "./library.ts";
import { command, type Peers } from "./peers.ts";
import type { Subject } from "./subject.ts";

/** The preparations of every case: the engines, each with the same image. */
export interface Stage extends AsyncDisposable {
  readonly subject: Subject;
  readonly peers: Peers | undefined;
  readonly rounds: number;
  /** The root file system of the image, as a directory. */
  readonly rootfs: string;
  /** The same as an archive. */
  readonly rootArchive: string;
  /** The image's name in every engine. */
  readonly image: string;
  /** The images and registries; they cost a while, so that they are made when first asked for. */
  library(): Promise<Library>;
  versions(): Promise<string[]>;
}

export interface StageOptions {
  readonly subject: Subject;
  readonly peers: Peers | undefined;
  readonly rounds: number;
}

/** An image as a directory and as an archive of it. */
export interface BenchImage {
  readonly name: string;
  readonly rootfs: string;
  readonly archive: string;
}

/** Makes the image from the host's static busybox, with further programs. */
export async function makeImage(
  work: string,
  programs: Readonly<Record<string, string>> = {},
): Promise<BenchImage> {
  const rootfs = join(work, "rootfs");
  for (const folder of ["bin", "dev", "etc", "proc", "root", "sys", "tmp"]) {
    await mkdir(join(rootfs, folder), { recursive: true });
  }
  for (const [name, path] of Object.entries({ busybox: "/bin/busybox", ...programs })) {
    await copyFile(path, join(rootfs, "bin", name));
    await chmod(join(rootfs, "bin", name), 0o755);
  }
  for (const applet of ["true", "sh", "sleep"])
    await symlink("busybox", join(rootfs, "bin", applet));
  const archive = join(work, "rootfs.tar");
  await command(["tar", "-C", rootfs, "-cf", archive, "."]);
  return { name: "thimble-bench", rootfs, archive };
}

/** Gives the image to every engine. */
export async function prepareStage({ subject, peers, rounds }: StageOptions): Promise<Stage> {
  const work = await mkdtemp("/var/tmp/thimble-stage-");
  const { name: image, rootfs, archive } = await makeImage(work);
  await command(subject.argv("import", archive, image));
  if (peers) {
    await command(["docker", "-H", peers.dockerHost, "import", archive, image]);
    await copyFile(archive, join(peers.tree, "root/thimble-bench.tar"));
    await command(peers.inTree(["podman", "import", "-q", "/root/thimble-bench.tar", image]));
  }
  let library: Promise<Library> | undefined;
  return {
    subject,
    peers,
    rounds,
    rootfs,
    rootArchive: archive,
    image,
    library: () => {
      library ??= openLibrary(work);
      return library;
    },
    versions: () => versions(subject, peers),
    async [Symbol.asyncDispose]() {
      await (await library)?.[Symbol.asyncDispose]();
      await rm(work, { recursive: true, force: true });
    },
  };
}

async function versions(subject: Subject, peers: Peers | undefined): Promise<string[]> {
  const own = await command(subject.argv("version", "--format", "{{.Server.Version}}"));
  if (!peers) return [`thimble ${own}`, "no peers: bench/peers setup makes them"];
  const first = async (...argv: string[]) =>
    (await command(peers.inTree(argv))).split("\n")[0] ?? "";
  return [
    `thimble ${own}`,
    `Docker ${await command(["docker", "-H", peers.dockerHost, "version", "--format", "{{.Server.Version}}"])}`,
    await first("podman", "--version"),
    await first("crun", "--version"),
    await first("runc", "--version"),
    await first("containerd", "--version"),
    await first("skopeo", "--version"),
    await first("mmdebstrap", "--version"),
  ];
}
