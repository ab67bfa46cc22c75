import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { Fault, faultOf } from "#base";
import { DebianPool } from "../debian-pool.ts";
import type { Executor } from "../executor.ts";
import { type Report, throttled } from "../progress.ts";
import type { RootTree } from "../root-tree.ts";
import { Build } from "./build.ts";
import type { Variant } from "./selection.ts";

/** A Debian root file system to make. */
export interface DebootstrapOptions {
  /** "bookworm", "trixie", "sid", "stable" ... */
  readonly suite: string;
  readonly variant: Variant;
  /** Further packages by name. */
  readonly include: readonly string[];
  /** Absent: the host's mirror, with the suite's updates and security fixes. Given: the suite alone, from there. */
  readonly mirror?: string;
  /**
   * Path of the keys to trust; absent: those in the Signed-By of the host's source, or the host's
   * Debian keyring.
   */
  readonly keyring?: string;
  /** Debian's name of an architecture; absent: this machine's. */
  readonly architecture?: string;
  /** Refuse an index past its Valid-Until; absent: as the host's apt does. */
  readonly checkValidUntil?: boolean;
  /** Keeps downloads between runs. */
  readonly cacheDir: string;
  /** An existing directory of the caller's; the tree is made in it. */
  readonly workDir: string;
  readonly executor: Executor;
  readonly report?: Report;
  readonly signal?: AbortSignal;
  /** Milliseconds before the first retry of a download. */
  readonly backoff?: number;
}

/** A Debian root file system, and the packages that it was made of. */
export interface DebianTree extends RootTree {
  readonly codename: string;
  readonly packages: readonly {
    readonly name: string;
    readonly version: string;
    readonly architecture: string;
  }[];
}

/**
 * Makes a Debian root file system from signed packages, with nothing of Debian's on
 * the host but the keys: index and packages are verified and cached, the Essential
 * ones are extracted, and then dpkg installs everything inside containers on the
 * tree. The tree belongs to the caller when the promise resolves; a failed or
 * cancelled run leaves nothing in `workDir`. Faults: not_found (mirror, suite,
 * package), unauthenticated (signature), data_loss (a file that is not what the
 * index lists), unavailable (network, expired index), conflict (packages that do
 * not go together), canceled.
 */
export async function debootstrap(options: DebootstrapOptions): Promise<DebianTree> {
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const report = throttled(options.report ?? (() => undefined));
  const paths = {
    root: join(options.workDir, "root"),
    debs: join(options.workDir, "debs"),
    inert: join(options.workDir, "inert"),
  };
  checkNames(options);
  await mkdir(paths.root, { mode: 0o755 });
  try {
    await using pool = new DebianPool(2);
    return await new Build(
      { ...options, report, signal, abort: () => stop.abort() },
      paths,
      pool,
    ).run();
  } catch (error) {
    await rm(paths.root, { recursive: true, force: true });
    throw options.signal?.aborted
      ? new Fault("canceled", "canceled", { cause: error })
      : faultOf(error);
  } finally {
    stop.abort();
    await rm(paths.debs, { recursive: true, force: true });
    await rm(paths.inert, { force: true });
  }
}

function checkNames({ suite, include }: DebootstrapOptions): void {
  if (!/^[a-z0-9][a-z0-9.+_-]*(\/[a-z0-9.+_-]+)?$/i.test(suite) || suite.includes(".."))
    throw new Fault(
      "invalid",
      `${JSON.stringify(suite)} is not the name of a suite; they look like bookworm or stable`,
      {
        about: suite,
      },
    );
  for (const name of include)
    if (!/^[a-z0-9][a-z0-9+.-]+$/.test(name))
      throw new Fault(
        "invalid",
        `${JSON.stringify(name)} is not the name of a package (lower-case letters, digits, + - .)`,
        {
          about: name,
        },
      );
}
