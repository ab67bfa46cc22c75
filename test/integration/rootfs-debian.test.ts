import { afterAll, beforeAll, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mountTable } from "#kernel";
import { type DebianTree, debootstrap, type Executor, hostMirror } from "#rootfs";
import { unshareExecutor } from "../support/unshare-executor.ts";

// Real packages from the mirror that the host's apt uses; a run takes about ten seconds.
/** What a mirror's hiccup costs is another attempt, not the test. */
const patient = "-o Acquire::Retries=5";

let directory: string;
const output: string[] = [];
const executor: Executor = {
  execute: (task) =>
    unshareExecutor().execute({
      ...task,
      onOutput: (stream, line) => {
        output.push(line);
        task.onOutput?.(stream, line);
      },
    }),
};

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-rootfs-"));
});

afterAll(() => {
  expect(mountTable().filter(({ target }) => target.startsWith(directory))).toEqual([]);
  rmSync(directory, { recursive: true, force: true });
});

async function build(suite: string, include: readonly string[]): Promise<DebianTree> {
  const workDir = join(directory, suite);
  mkdirSync(workDir);
  return await debootstrap({
    suite,
    variant: "minbase",
    include,
    cacheDir: join(directory, "cache"),
    workDir,
    executor,
  });
}

/** What a command prints inside a tree; it must end well. */
async function inside(root: string, argv: readonly string[], network: "none" | "host" = "none") {
  const lines: string[] = [];
  const { exitCode } = await executor.execute({
    root: { type: "bind", source: root, options: [] },
    mounts:
      network === "host"
        ? [{ source: "/etc/resolv.conf", target: "/etc/resolv.conf", readonly: true }]
        : [],
    argv,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    network,
    onOutput: (_stream, line) => lines.push(line),
  });
  expect({ argv, exitCode, ...(exitCode === 0 ? {} : { lines }) }).toEqual({ argv, exitCode: 0 });
  return lines;
}

function expectClean({ directory: root }: DebianTree): void {
  expect(existsSync(join(root, "usr/sbin/policy-rc.d"))).toBe(false);
  expect(existsSync(join(root, "thimble-debs"))).toBe(false);
  for (const path of ["tmp", "var/tmp", "var/log/apt", "dev", "proc", "sys"])
    expect({ path, entries: readdirSync(join(root, path)) }).toEqual({ path, entries: [] });
  for (const path of [
    "etc/resolv.conf",
    "etc/hostname",
    "var/log/dpkg.log",
    "var/lib/dpkg/status-old",
  ])
    expect({ path, there: existsSync(join(root, path)) }).toEqual({ path, there: false });
  expect(readdirSync(join(root, "run"))).toEqual(["lock"]);
}

test("the host's apt sources name a mirror", async () => {
  expect((await hostMirror()).mirror).toMatch(/^https?:\/\//);
});

test("bookworm becomes a tree in which apt installs more", async () => {
  const tree = await build("bookworm", []);
  expect(tree.codename).toBe("bookworm");
  const installed = await inside(tree.directory, [
    "dpkg-query",
    "-Wf",
    `${["Package", "Version", "Architecture"].map((field) => `$\{${field}}`).join(" ")}\\n`,
  ]);
  expect(installed).toEqual(
    tree.packages.map(({ name, version, architecture }) => `${name} ${version} ${architecture}`),
  );
  expect(await inside(tree.directory, ["dpkg", "--audit"])).toEqual([]);
  expect(await inside(tree.directory, ["dpkg", "--verify"])).toEqual([]);
  expectClean(tree);
  expect(statSync(join(tree.directory, "etc/shadow")).gid).toBe(42);
  await inside(
    tree.directory,
    [
      "sh",
      "-ec",
      `apt-get -q ${patient} update && apt-get -qy ${patient} --no-install-recommends install hello`,
    ],
    "host",
  );
  expect(await inside(tree.directory, ["hello"])).toEqual(["Hello, world!"]);
  expect(readdirSync(join(tree.directory, "var/cache/apt"))).toEqual(["archives"]);
});

test("services that are included stay off while trixie is made", async () => {
  output.length = 0;
  const tree = await build("trixie", ["cron", "nginx-light"]);
  expect(tree.packages.map(({ name }) => name)).toContain("nginx");
  expect(output.join("\n")).toContain("policy-rc.d denied execution of start");
  expect(await inside(tree.directory, ["dpkg", "--audit"])).toEqual([]);
  expectClean(tree);
  const states = readFileSync(join(tree.directory, "var/lib/apt/extended_states"), "utf8");
  expect(states).toContain("Package: nginx-common\n");
  expect(states).not.toContain("Package: cron\n");
});
