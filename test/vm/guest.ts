/**
 * A virtual machine with Debian's cloud kernel and nothing but cgroup v2, in which a
 * command of this clone runs: what most users have and the machine of the tests may not.
 *
 * No KVM is needed. The root is an ext4 image made without mounting anything; the
 * kernel's own modules come from its Debian package.
 */
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

const clone = join(import.meta.dir, "../..");
const cache = join(tmpdir(), "thimble-vm");

export interface GuestRun {
  /** Exit status of the command; undefined when the guest never reported one. */
  readonly status: number | undefined;
  /** Everything that the guest's console printed. */
  readonly output: string;
}

/** Boots, runs `command` with sh(1) in the clone (at /thimble, read-write, thrown away) and powers off. */
export async function runInGuest(command: string, seconds: number): Promise<GuestRun> {
  const kernel = await unpackKernel();
  const work = join(cache, `run-${process.pid}`);
  await rm(work, { recursive: true, force: true });
  await mkdir(work, { recursive: true });
  try {
    const disk = await makeDisk(work, kernel, command);
    const initrd = await makeInitrd(work, kernel);
    const output = await boot({ kernel, disk, initrd, seconds });
    const status = /^GUEST-STATUS (\d+)/m.exec(output)?.[1];
    return { status: status === undefined ? undefined : Number(status), output };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function sh(
  command: readonly string[],
  options: { cwd?: string; input?: string } = {},
): Promise<string> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd ?? clone,
    stdin: options.input === undefined ? "ignore" : new Blob([options.input]),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}: ${err.trim()}`);
  return out;
}

interface Kernel {
  readonly image: string;
  readonly version: string;
  readonly modules: string;
}

async function unpackKernel(): Promise<Kernel> {
  const depends = await sh(["apt-cache", "depends", "linux-image-cloud-amd64"]);
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (!name) throw new Error("Debian's package lists name no cloud kernel: run apt-get update");
  const version = name.replace("linux-image-", "");
  const tree = join(cache, name);
  const kernel = {
    image: join(tree, `boot/vmlinuz-${version}`),
    version,
    modules: join(tree, `lib/modules/${version}`),
  };
  if (await Bun.file(join(kernel.modules, "modules.dep")).exists()) return kernel;
  await rm(tree, { recursive: true, force: true });
  await mkdir(tree, { recursive: true });
  await sh(["apt-get", "-o", "Acquire::Retries=5", "download", name], { cwd: tree });
  const archive = (await readdir(tree)).find((file) => file.endsWith(".deb"));
  await sh(["dpkg-deb", "-x", archive ?? "", tree], { cwd: tree });
  await sh(["/bin/busybox", "depmod", "-b", tree, version]);
  return kernel;
}

/** A module and those that it needs, in the order in which insmod takes them. */
async function moduleFiles(kernel: Kernel, names: readonly string[]): Promise<string[]> {
  const needs = new Map<string, string[]>();
  for (const line of (await readFile(join(kernel.modules, "modules.dep"), "utf8")).split("\n")) {
    const [file, rest] = line.split(":");
    if (file) needs.set(file, (rest ?? "").split(" ").filter(Boolean));
  }
  const ordered: string[] = [];
  const add = (file: string) => {
    for (const need of needs.get(file) ?? []) add(need);
    if (!ordered.includes(file)) ordered.push(file);
  };
  for (const name of names) {
    const file = [...needs.keys()].find((path) => basename(path) === `${name}.ko`);
    if (file) add(file);
  }
  return ordered.map((file) =>
    file.startsWith("/") ? join(kernel.modules, "../../..", file) : join(kernel.modules, file),
  );
}

async function makeInitrd(work: string, kernel: Kernel): Promise<string> {
  const tree = join(work, "initrd");
  for (const folder of ["bin", "dev", "mnt", "modules"])
    await mkdir(join(tree, folder), { recursive: true });
  await cp("/bin/busybox", join(tree, "bin/busybox"));
  const modules = await moduleFiles(kernel, ["virtio_pci", "virtio_blk"]);
  for (const file of modules) await cp(file, join(tree, "modules", basename(file)));
  const init = [
    "#!/bin/busybox sh",
    "b=/bin/busybox",
    "$b mount -t devtmpfs dev /dev",
    ...modules.map((file) => `$b insmod /modules/${basename(file)}`),
    "$b mount -t ext4 /dev/vda /mnt",
    "exec $b switch_root /mnt /init",
  ];
  await writeFile(join(tree, "init"), `${init.join("\n")}\n`, { mode: 0o755 });
  const archive = join(work, "initrd.cpio");
  const files = await sh(["find", "."], { cwd: tree });
  await sh(["/bin/busybox", "cpio", "-o", "-H", "newc", "-F", archive], {
    cwd: tree,
    input: files,
  });
  return archive;
}

async function makeDisk(work: string, kernel: Kernel, command: string): Promise<string> {
  const tree = join(work, "root");
  for (const folder of [
    "bin",
    "sbin",
    "dev",
    "proc",
    "sys",
    "run",
    "tmp",
    "root",
    "etc",
    "usr/bin",
    "var/lib",
    "var/tmp",
    "thimble",
  ]) {
    await mkdir(join(tree, folder), { recursive: true });
  }
  await cp("/bin/busybox", join(tree, "bin/busybox"));
  for (const applet of (await sh(["/bin/busybox", "--list"])).trim().split("\n")) {
    if (applet !== "busybox") await symlink("/bin/busybox", join(tree, "bin", applet));
  }
  await symlink("/bin/busybox", join(tree, "sbin/modprobe"));
  await writeFile(join(tree, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  await writeFile(join(tree, "etc/group"), "root:x:0:\n");
  await cp(kernel.modules, join(tree, "lib/modules", kernel.version), { recursive: true });
  await copyLibraries(tree, process.execPath);
  for (const program of ["mke2fs", "mkfs.xfs", "setpriv"]) {
    const file = Bun.which(program, { PATH: "/sbin:/usr/sbin:/usr/bin" });
    if (!file) continue;
    await copyLibraries(tree, file);
    await cp(file, join(tree, "usr/bin", program), { dereference: true });
  }
  for (const part of [
    "src",
    "test",
    "native/build",
    "native/init",
    "native/addon",
    "package.json",
    "tsconfig.json",
  ]) {
    await cp(join(clone, part), join(tree, "thimble", part), { recursive: true });
  }
  for (const name of ["zod", "openpgp", "@noble/ciphers"]) {
    await cp(join(clone, "node_modules", name), join(tree, "thimble/node_modules", name), {
      recursive: true,
    });
  }
  await cp(process.execPath, join(tree, "usr/bin/bun"));
  const init = [
    "#!/bin/sh",
    "export PATH=/usr/bin:/bin:/sbin HOME=/root NO_COLOR=1",
    "mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev",
    "mkdir -p /dev/pts /dev/shm; mount -t devpts pts /dev/pts; mount -t tmpfs shm /dev/shm",
    "mount -t tmpfs run /run; mount -t tmpfs tmp /tmp",
    "mount -t cgroup2 cgroup /sys/fs/cgroup",
    "ip link set lo up; hostname guest",
    "cd /thimble",
    `( ${command} ); echo "GUEST-STATUS $?"`,
    "sync; poweroff -f",
  ];
  await writeFile(join(tree, "init"), `${init.join("\n")}\n`, { mode: 0o755 });
  const disk = join(work, "disk.ext4");
  await sh(["/sbin/mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-d", tree, disk, "2g"]);
  return disk;
}

/**
 * The libraries that the dynamic loader would load for a program, copied to where it would look.
 */
async function copyLibraries(tree: string, program: string): Promise<void> {
  for (const [, file] of (await sh(["ldd", program])).matchAll(/(\/\S+) \(0x/g)) {
    if (!file) continue;
    await mkdir(join(tree, dirname(file)), { recursive: true });
    await cp(file, join(tree, file), { dereference: true });
  }
}

async function boot(machine: {
  kernel: Kernel;
  disk: string;
  initrd: string;
  seconds: number;
}): Promise<string> {
  const child = Bun.spawn(
    [
      "qemu-system-x86_64",
      ...[
        "-cpu",
        "max",
        "-accel",
        "tcg,thread=multi",
        "-smp",
        "2",
        "-m",
        "2048",
        "-nographic",
        "-no-reboot",
      ],
      ...["-kernel", machine.kernel.image, "-initrd", machine.initrd],
      ...["-append", "console=ttyS0 quiet panic=-1 cgroup_no_v1=all swapaccount=1"],
      ...["-drive", `file=${machine.disk},format=raw,if=virtio,cache=unsafe`],
    ],
    { stdin: "ignore", stdout: "pipe", stderr: "pipe" },
  );
  const timer = setTimeout(() => child.kill("SIGKILL"), machine.seconds * 1000);
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  clearTimeout(timer);
  return `${out}${err}`.replaceAll("\r", "");
}
