import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { command, type Peers } from "./peers.ts";

const script = join(import.meta.dir, "peers");
const size = 5 * 2 ** 30;
/** Where it is mounted, the host's and the tree's alike. */
const place = "/media";

/** A new, empty ext4 file system, mounted where only the commands put there see it. */
export interface FreshDisk extends AsyncDisposable {
  /** The mount point as a command sees it that `within` puts there. */
  readonly place: string;
  within(argv: readonly string[]): string[];
}

/**
 * File systems for one turn each, on the blocks of one file that is written out whole beforehand.
 * On a file system in use a turn pays for those before it: ext4 passes over each inode that was
 * freed within the last five minutes (fs/ext4/ialloc.c, recently_deleted), and an fsync writes what
 * others left in the journal.
 */
export class FreshDisks implements AsyncDisposable {
  readonly #file: string;
  readonly #device: string;

  private constructor(file: string, device: string) {
    this.#file = file;
    this.#device = device;
  }

  static async open(directory: string): Promise<FreshDisks> {
    const path = join(directory, "disk");
    await using file = await open(path, "wx");
    // Blocks that were never written cost the host's file system a transaction each.
    const zeros = Buffer.alloc(16 << 20);
    for (let at = 0; at < size; at += zeros.length) await file.write(zeros, 0, zeros.length, at);
    await file.sync();
    const device = await command(["losetup", "--direct-io=on", "--find", "--show", path]);
    return new FreshDisks(path, device);
  }

  /** @param peers into whose tree it is put; absent: the host's */
  async make(peers?: Peers): Promise<FreshDisk> {
    await this.#format();
    const argv = [script, "hold-disk", this.#device, place, ...(peers ? ["tree"] : [])];
    const holder = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    const { value } = await holder.stdout.getReader().read();
    const pid = Number(new TextDecoder().decode(value).trim());
    if (!(pid > 0)) throw new Error(`${argv.join(" ")} failed`);
    return {
      place,
      within: (argv) => ["nsenter", "-m", "-t", String(pid), ...argv],
      async [Symbol.asyncDispose]() {
        await holder.stdin.end();
        await holder.exited;
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await command(["losetup", "--detach", this.#device]);
    await rm(this.#file);
  }

  /** The one before may be in use until the last of its engine's processes has ended. */
  async #format(): Promise<void> {
    const options = "lazy_itable_init=1,lazy_journal_init=1,nodiscard";
    const argv = ["mkfs.ext4", "-q", "-F", "-E", options, this.#device];
    for (let attempt = 0; ; attempt++) {
      const failure = await command(argv).then(
        () => undefined,
        (error: Error) => error,
      );
      if (!failure) break;
      if (attempt > 300 || !failure.message.includes("in use")) throw failure;
      await Bun.sleep(100);
    }
    await command(["sync", this.#device]);
  }
}
