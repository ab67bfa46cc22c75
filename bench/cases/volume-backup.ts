import { mkdir, mkdtemp, open, writeFile } from "node:fs/promises";
import { createServer, connect as dial } from "node:net";
import { join } from "node:path";
import { heaviestWhile, showWeight } from "../machine.ts";
import { command } from "../peers.ts";
import { ownRegistry, startRegistry } from "../registry-peer.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { startSubject } from "../subject.ts";

const pageBytes = 4096;
const database = 4 * 2 ** 30;
const fileBytes = 100_000;
const files = 10_000;
/** Of each a hundredth: pages anywhere in the large file, and whole small files. */
const changedPages = Math.floor(database / pageBytes / 100);
const changedFiles = files / 100;
const bar = 10;
const nothing = { sent: 0, seconds: 0 };

/**
 * A volume of 5 GB, one file of 4 GiB with pages like a database's and 10,000 small ones, to a
 * registry: first whole, then with a hundredth of it changed, then as it was; and all of it back.
 */
export async function volumeBackup(stage: Stage): Promise<Finding[]> {
  const place = await mkdtemp("/var/tmp/thimble-bench-registry-");
  await using registry = await startRegistry(ownRegistry(stage.subject.binary, place));
  await using relay = await startRelay(registry.port);
  await using subject = await startSubject();
  await command(subject.argv("volume", "create", "bench"));
  const path = join(subject.dataRoot, "volumes/bench/_data");
  await fill(path);
  const push = async () => {
    const before = relay.sent();
    const start = performance.now();
    const reference = `127.0.0.1:${relay.port}/bench/volume:bench`;
    await command(subject.argv("volume", "push", "bench", reference));
    return { sent: relay.sent() - before, seconds: (performance.now() - start) / 1000 };
  };
  let first = nothing;
  const weight = await heaviestWhile(subject.pid, async () => {
    first = await push();
  });
  await change(path);
  const archive = await tarBytes(path);
  const changed = await push();
  const again = await push();
  let restored = 0;
  const restoreWeight = await heaviestWhile(subject.pid, async () => {
    const start = performance.now();
    const reference = `127.0.0.1:${relay.port}/bench/volume:bench`;
    await command(subject.argv("volume", "pull", reference, "restored"));
    restored = (performance.now() - start) / 1000;
  });
  await command(["diff", "-r", path, join(subject.dataRoot, "volumes/restored/_data")]);
  const told = (each: { sent: number; seconds: number }) =>
    `${megabytes(each.sent)} sent in ${each.seconds.toFixed(0)} s`;
  const ratio = archive / changed.sent;
  return [
    {
      kind: "figure",
      title: "backup of a volume of 5 GB to a registry, the first",
      figure: told(first),
    },
    {
      kind: "figure",
      title: `the next, with ${changedPages} random pages of 4 KiB and ${changedFiles} files of 10,000 changed (1 %)`,
      figure: `${told(changed)}, ${ratio.toFixed(1)} times less than a tar of all (${megabytes(archive)})`,
      bar: `at least ${bar} times less`,
      holds: ratio >= bar,
    },
    { kind: "figure", title: "the next, with nothing changed", figure: told(again) },
    { kind: "figure", title: "engine, peak over the first", figure: showWeight(weight) },
    { kind: "figure", title: "all of it restored", figure: `${restored.toFixed(0)} s` },
    { kind: "figure", title: "engine, peak over the restore", figure: showWeight(restoreWeight) },
  ];
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Half of the large file compresses, as pages of databases do; the small ones do not. */
async function fill(path: string): Promise<void> {
  const half = 512 << 10;
  const file = await open(join(path, "database"), "w");
  try {
    for (let at = 0; at < database; at += 2 * half) {
      await file.write(random(half));
      await file.write(Buffer.alloc(half, `row ${at} of a table of the bench; `));
    }
  } finally {
    await file.close();
  }
  for (let number = 0; number < files; number++) {
    const folder = join(path, String(number % 100));
    if (number < 100) await mkdir(folder);
    await writeFile(join(folder, String(number)), random(fileBytes));
  }
}

async function change(path: string): Promise<void> {
  const file = await open(join(path, "database"), "r+");
  try {
    for (let i = 0; i < changedPages; i++) {
      const page = Math.floor((Math.random() * database) / pageBytes);
      await file.write(random(pageBytes), 0, pageBytes, page * pageBytes);
    }
  } finally {
    await file.close();
  }
  for (let number = 0; number < changedFiles; number++)
    await writeFile(join(path, String(number), String(number)), random(fileBytes));
}

function random(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

async function tarBytes(path: string): Promise<number> {
  const child = Bun.spawn(["tar", "-C", path, "-cf", "-", "."], { stdout: "pipe" });
  let bytes = 0;
  for await (const chunk of child.stdout) bytes += chunk.length;
  if ((await child.exited) !== 0) throw new Error("tar failed");
  return bytes;
}

/** Passes connections on, and counts what clients send. */
async function startRelay(
  port: number,
): Promise<AsyncDisposable & { readonly port: number; sent(): number }> {
  let sent = 0;
  const server = createServer((client) => {
    const target = dial(port, "127.0.0.1");
    client.on("data", (bytes) => {
      sent += bytes.length;
    });
    client.pipe(target).pipe(client);
    client.on("error", () => target.destroy());
    target.on("error", () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
