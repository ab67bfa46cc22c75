import { copyFile, link, lstat, mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { Fault } from "#base";
import type { DebianPool } from "../debian-pool.ts";
import { Meter, type Report } from "../progress.ts";
import type { DebianTree, DebootstrapOptions } from "./debootstrap.ts";
import { Downloader, pruneCache } from "./downloader.ts";
import { Dpkg, debsTarget } from "./dpkg.ts";
import { findOrigin, type Keyring, type Origin } from "./origin.ts";
import type { DebianPackage } from "./package-index.ts";
import { fetchIndexes, type OpenRepository, openRepository } from "./repository.ts";
import type { Plan } from "./selection.ts";
import {
  cleanupScript,
  containerConfiguration,
  type ImageSource,
  policyRcD,
  removeMountPoints,
  renderExtendedStates,
  renderSources,
  type SmallFile,
  skeleton,
  writeFiles,
} from "./skeleton.ts";

export interface BuildPaths {
  readonly root: string;
  /** The .deb files, for dpkg to find. */
  readonly debs: string;
  /** A program that does nothing. */
  readonly inert: string;
}

type BuildOptions = DebootstrapOptions & {
  readonly report: Report;
  readonly signal: AbortSignal;
  /** Raises the signal, so that steps beside a failed one stop. */
  readonly abort: () => void;
};

/** One run: its steps in order, each of which uses the results of the one before. */
export class Build {
  readonly #options: BuildOptions;
  readonly #paths: BuildPaths;
  readonly #pool: DebianPool;
  readonly #downloader: Downloader;
  readonly #architecture: string;

  constructor(options: BuildOptions, paths: BuildPaths, pool: DebianPool) {
    this.#options = options;
    this.#paths = paths;
    this.#pool = pool;
    this.#downloader = new Downloader(options);
    this.#architecture = options.architecture ?? hostArchitecture();
  }

  async run(): Promise<DebianTree> {
    const origin = await findOrigin(this.#options);
    const repositories = await this.#openRepositories(origin);
    const [main] = repositories;
    if (main === undefined) throw new Fault("internal", "no repository was opened");
    const plan = await this.#plan(repositories);
    const created = new Date(
      Math.max(...repositories.map(({ release }) => release.date.getTime())),
    );
    await this.#makeDirectories(created);
    await this.#unpackEssential(plan, repositories);
    await this.#install(plan, created);
    await this.#finish(plan, repositories, origin, created);
    const packages = [...plan.essential, ...plan.rest.flat()]
      .map(({ name, version, architecture }) => ({ name, version, architecture }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return {
      directory: this.#paths.root,
      config: {
        cmd: ["bash"],
        env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
      },
      created,
      codename: main.release.codename,
      packages,
    };
  }

  async #openRepositories({
    repositories,
    keyring,
    checkValidUntil,
  }: Origin): Promise<OpenRepository[]> {
    const { report, suite } = this.#options;
    report({ id: "index", status: `Checking the signature of ${suite}` });
    const access = {
      downloader: this.#downloader,
      pool: this.#pool,
      keyring,
      checkValidUntil,
      now: new Date(),
    };
    const opened = await this.#all(
      repositories.map((repository) => openRepository(repository, access)),
    );
    return opened.filter((repository) => repository !== undefined);
  }

  async #plan(repositories: readonly OpenRepository[]): Promise<Plan> {
    const { report, variant, include } = this.#options;
    const meter = new Meter("index", "Downloading package indexes", report);
    const indexes = await this.#all(
      repositories.map(async (repository, number) => {
        const found = await fetchIndexes(repository, this.#architecture, this.#downloader, meter);
        return found.map((index) => ({ ...index, repository: number }));
      }),
    );
    report({ id: "index", status: "Choosing packages" });
    return await this.#pool.run("plan", {
      architecture: this.#architecture,
      indexes: indexes.flat(),
      variant,
      include,
    });
  }

  async #makeDirectories(created: Date): Promise<void> {
    const { root, debs, inert } = this.#paths;
    await mkdir(debs, { mode: 0o755 });
    await writeFile(inert, "#!/bin/sh\nexit 0\n", { mode: 0o755 });
    await writeFiles(root, skeleton(this.#architecture), created);
  }

  /**
   * Everything is downloaded; essential packages are extracted as they come in, base-files before
   * all others for its links and modes.
   */
  async #unpackEssential(plan: Plan, repositories: readonly OpenRepository[]): Promise<void> {
    const packages = [...plan.essential, ...plan.rest.flat()];
    const meter = new Meter(
      "download",
      `Downloading ${packages.length} packages`,
      this.#options.report,
    );
    for (const { size } of packages) meter.expect(size);
    const extract = async (one: DebianPackage) => {
      const name = fileName(one);
      await this.#pool.run("extract", {
        deb: join(this.#paths.debs, name),
        name,
        root: this.#paths.root,
      });
    };
    const first = plan.essential.find(({ name }) => name === "base-files");
    const base =
      first === undefined
        ? undefined
        : this.#fetch(first, repositories, meter).then(() => extract(first));
    await this.#all([
      ...(base === undefined ? [] : [base]),
      ...plan.essential.map(async (one) => {
        if (one === first) return;
        await Promise.all([this.#fetch(one, repositories, meter), base]);
        await extract(one);
      }),
      ...plan.rest.flat().map((one) => this.#fetch(one, repositories, meter)),
    ]);
  }

  async #fetch(
    one: DebianPackage,
    repositories: readonly OpenRepository[],
    meter: Meter,
  ): Promise<void> {
    const uri = repositories[one.repository]?.uri ?? "";
    const cached = await this.#downloader.file({
      urls: [`${uri}/${encodeURI(one.filename)}`],
      sha256: one.sha256,
      size: one.size,
      onBytes: (count) => meter.add(count),
    });
    const path = join(this.#paths.debs, fileName(one));
    // The cache may be on another file system than the tree.
    await link(cached, path).catch(() => copyFile(cached, path));
  }

  async #install(plan: Plan, created: Date): Promise<void> {
    const { executor, report, signal } = this.#options;
    const { root, debs, inert } = this.#paths;
    await writeFiles(
      root,
      [policyRcD, { name: debsTarget, type: "directory", mode: 0o755 }],
      created,
    );
    const total = plan.essential.length + plan.rest.flat().length;
    const dpkg = new Dpkg({
      executor,
      root,
      debs,
      inertProgram: inert,
      sourceDateEpoch: Math.floor(created.getTime() / 1000),
      report,
      signal,
    });
    report({ id: "install", status: `Installing ${total} packages`, current: 0, total });
    await dpkg.install(plan.essential.map(fileName), { total, inert: false });
    for (const run of plan.rest) await dpkg.install(run.map(fileName), { total, inert: true });
    await dpkg.finish();
    await dpkg.shell(cleanupScript);
  }

  async #finish(
    plan: Plan,
    repositories: readonly OpenRepository[],
    origin: Origin,
    created: Date,
  ): Promise<void> {
    const { root } = this.#paths;
    this.#options.report({ id: "install", status: "Finishing" });
    removeMountPoints(root);
    const keyring = await imageKeyring(root, origin.keyring);
    const now = new Date();
    const byUri = new Map<string, ImageSource>();
    for (const { uri, suite, release } of repositories) {
      const expired = release.validUntil !== undefined && release.validUntil < now;
      const known = byUri.get(uri);
      byUri.set(uri, {
        uri,
        suites: [...(known?.suites ?? []), suite],
        signedBy: keyring.path,
        checkValidUntil: (known?.checkValidUntil ?? true) && !expired,
      });
    }
    const sources = renderSources([...byUri.values()]);
    await writeFiles(
      root,
      [
        ...keyring.files,
        ...containerConfiguration,
        {
          name: "etc/apt/sources.list.d/debian.sources",
          type: "file",
          mode: 0o644,
          content: sources,
        },
        {
          name: "var/lib/apt/extended_states",
          type: "file",
          mode: 0o644,
          content: renderExtendedStates(plan.automatic, this.#architecture),
        },
      ],
      created,
    );
    await this.#pool.run("clampTimes", { root, latest: Math.floor(created.getTime() / 1000) });
    await pruneCache(this.#options.cacheDir, now);
  }

  /** Waits for all, also when one fails: nothing may still write once the tree is taken away. */
  async #all<T>(tasks: readonly Promise<T>[]): Promise<T[]> {
    const failed = Promise.all(tasks).catch((error: unknown) => {
      this.#options.abort();
      throw error;
    });
    await Promise.allSettled([failed, ...tasks]);
    return await failed;
  }
}

function fileName(one: DebianPackage): string {
  return basename(one.filename);
}

/** The image's own copy of the keys: Debian's package brings them; others are put where apt's manual has them. */
async function imageKeyring(
  root: string,
  keyring: Keyring,
): Promise<{ readonly path: string; readonly files: readonly SmallFile[] }> {
  const path = "/usr/share/keyrings/debian-archive-keyring.gpg";
  const there = await lstat(join(root, path)).catch(() => undefined);
  if (keyring.debian && there !== undefined) return { path, files: [] };
  const armoured = Buffer.from(keyring.bytes.subarray(0, 64)).includes("-----BEGIN PGP");
  const name = `etc/apt/keyrings/mirror.${armoured ? "asc" : "gpg"}`;
  return { path: `/${name}`, files: [{ name, type: "file", mode: 0o644, content: keyring.bytes }] };
}

const architectures: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  ia32: "i386",
  arm: "armhf",
  ppc64: "ppc64el",
  s390x: "s390x",
  riscv64: "riscv64",
  loong64: "loong64",
};

function hostArchitecture(): string {
  return architectures[process.arch] ?? process.arch;
}
