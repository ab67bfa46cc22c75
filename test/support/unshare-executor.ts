import { type ChildProcess, spawn } from "node:child_process";
import {
  closeSync,
  createReadStream,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault, lines } from "#base";
import type { Executor, ExecutorTask } from "#rootfs";

/**
 * The Executor port by unshare(1) and chroot(1), for tests that need a container to run things in
 * while there is no engine. Needs root. Namespaces end with the process: nothing stays mounted.
 */
export function unshareExecutor(): Executor {
  return {
    async execute(task) {
      if (task.root.type !== "bind")
        throw new Fault("unsupported", "this executor takes directories only");
      const work = mkdtempSync(join(tmpdir(), "thimble-executor-"));
      const root = join(work, "root");
      mkdirSync(root);
      for (const { source, target } of task.mounts)
        makeTarget(source, join(task.root.source, target));
      try {
        return await run(task, root);
      } finally {
        rmdirSync(root);
        rmdirSync(work);
      }
    },
  };
}

function makeTarget(source: string, target: string): void {
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) return;
  if (statSync(source).isDirectory()) mkdirSync(target, { recursive: true });
  else writeFileSync(target, "");
}

async function run(task: ExecutorTask, root: string): Promise<{ exitCode: number }> {
  const script = [
    "set -e",
    `mount --bind ${quote(task.root.source)} ${quote(root)}`,
    ...task.mounts.flatMap(({ source, target, readonly }) => [
      `mount --bind ${quote(source)} ${quote(root + target)}`,
      ...(readonly ? [`mount -o remount,ro,bind ${quote(root + target)}`] : []),
    ]),
    `mount -t proc proc ${quote(root)}/proc`,
    `mount -t tmpfs -o mode=755 dev ${quote(root)}/dev`,
    ...["null", "zero", "full", "random", "urandom", "tty"].map(
      (name) => `cp -a /dev/${name} ${quote(root)}/dev/${name}`,
    ),
    `mkdir ${quote(root)}/dev/shm ${quote(root)}/dev/pts`,
    `exec env -i ${Object.entries(task.env)
      .map(([name, value]) => quote(`${name}=${value}`))
      .join(" ")} /usr/sbin/chroot ${quote(root)} ${task.argv.map(quote).join(" ")}`,
  ].join("\n");
  const network = (task.network ?? "none") === "none" ? ["--net"] : [];
  // Bun's pipes do not block: a shell that fills one gets EAGAIN and fails. A file takes it all.
  const log = `${root}.log`;
  const output = openSync(log, "w");
  const child = spawn(
    "unshare",
    [
      ...["--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child", ...network],
      ...["/bin/sh", "-c", script],
    ],
    { stdio: ["ignore", output, output] },
  );
  const stop = () => child.kill("SIGKILL");
  task.signal?.addEventListener("abort", stop);
  if (task.signal?.aborted) stop();
  try {
    const exitCode = await ended(child);
    for await (const line of lines(createReadStream(log))) task.onOutput?.("stdout", line);
    return { exitCode };
  } finally {
    task.signal?.removeEventListener("abort", stop);
    closeSync(output);
    rmSync(log);
  }
}

async function ended(child: ChildProcess): Promise<number> {
  return await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? 137));
  });
}

const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;
