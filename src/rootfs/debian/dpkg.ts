import { defined, Fault } from "#base";
import type { Executor } from "../executor.ts";
import type { Report } from "../progress.ts";

export interface DpkgOptions {
  readonly executor: Executor;
  /** The tree that the packages go to. */
  readonly root: string;
  /** Directory with the .deb files, seen by dpkg at `debsTarget`. */
  readonly debs: string;
  /** A program that does nothing, put over start-stop-daemon where that must not run. */
  readonly inertProgram: string;
  /** Seconds since the epoch; for tools that follow reproducible-builds.org. */
  readonly sourceDateEpoch: number;
  readonly report: Report;
  readonly signal?: AbortSignal;
}

/** Where a container of the installation sees the .deb files. */
export const debsTarget = "/thimble-debs";

const keptLines = 30;

/** Runs dpkg, and what else a build needs, inside a container on the tree that is being built. */
export class Dpkg {
  readonly #options: DpkgOptions;
  #done = 0;

  constructor(options: DpkgOptions) {
    this.#options = options;
  }

  /**
   * Unpacks and configures packages, given as names of files in `debs`. Dependencies
   * are forced since an essential set has cycles; dpkg still goes by them as far as
   * it can, and the choice of packages has seen to it that all are there. `total`
   * counts the packages of all calls.
   */
  async install(
    files: readonly string[],
    { total, inert }: { readonly total: number; readonly inert: boolean },
  ): Promise<void> {
    await this.#run(
      [
        // dpkg closes its status descriptor to maintainer scripts: that may not be their stdout.
        ...["/bin/sh", "-c", 'exec dpkg "$@" 3>&1', "dpkg"],
        "--force-depends",
        "--force-unsafe-io",
        "--force-confnew",
        "--status-fd=3",
        "--install",
        ...files.map((name) => `${debsTarget}/${name}`),
      ],
      {
        inert,
        onStatus: (name, state) => {
          // Each package passes both; installed is the end.
          if (state === "installed") this.#done++;
          const status = state === "installed" ? `Configured ${name}` : `Unpacked ${name}`;
          if (state === "installed" || state === "unpacked")
            this.#options.report({ id: "install", status, current: this.#done, total });
        },
      },
    );
  }

  /** Runs pending triggers; a package that is not fully installed afterwards is a Fault. */
  async finish(): Promise<void> {
    await this.#run(["dpkg", "--force-unsafe-io", "--configure", "--pending"], { inert: true });
    const audit = await this.#run(["dpkg", "--audit"], { inert: true });
    if (audit.length > 0)
      throw new Fault(
        "internal",
        `dpkg --audit finds packages that are not properly installed:\n${audit.join("\n")}`,
      );
  }

  async shell(script: string): Promise<void> {
    await this.#run(["/bin/sh", "-ec", script], { inert: false, withoutDebs: true });
  }

  async #run(
    argv: readonly string[],
    options: {
      readonly inert: boolean;
      readonly withoutDebs?: boolean;
      readonly onStatus?: (name: string, state: string) => void;
    },
  ): Promise<string[]> {
    const { executor, root, debs, inertProgram, sourceDateEpoch, signal } = this.#options;
    const output: string[] = [];
    const mounts = [
      ...(options.withoutDebs ? [] : [{ source: debs, target: debsTarget, readonly: true }]),
      ...(options.inert
        ? [{ source: inertProgram, target: "/usr/sbin/start-stop-daemon", readonly: true }]
        : []),
    ];
    const { exitCode } = await executor.execute({
      root: { type: "bind", source: root, options: [] },
      mounts,
      argv,
      env: { ...environment, SOURCE_DATE_EPOCH: String(sourceDateEpoch) },
      network: "none",
      suppressSync: true,
      onOutput: (_stream, line) => {
        const status = /^status: ([^ :]+)(?::[a-z0-9-]+)?: ([a-z-]+)$/.exec(line);
        if (status?.[1] !== undefined && status[2] !== undefined)
          options.onStatus?.(status[1], status[2]);
        else if (!line.startsWith("processing: ")) output.push(line);
        if (output.length > keptLines) output.shift();
      },
      ...defined({ signal }),
    });
    if (signal?.aborted) throw new Fault("canceled", "canceled");
    if (exitCode !== 0)
      throw new Fault(
        "internal",
        `${argv.slice(0, 6).join(" ")} failed with status ${exitCode} inside the new root file system; its last lines:\n${output.join("\n")}`,
      );
    return output;
  }
}

/** No questions, no translations, and no order that differs from run to run. */
const environment: Readonly<Record<string, string>> = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  HOME: "/root",
  LC_ALL: "C",
  LANG: "C",
  TZ: "UTC",
  TERM: "dumb",
  DEBIAN_FRONTEND: "noninteractive",
  DEBCONF_NONINTERACTIVE_SEEN: "true",
  DEBCONF_NOWARNINGS: "yes",
  PERL_HASH_SEED: "0",
};
