import { afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fault } from "#base";
import { mountTable } from "#kernel";
import { type DebootstrapOptions, debootstrap, type ExecutorTask } from "#rootfs";
import {
  clearSign,
  makeRepository,
  newKey,
  serve,
  type TestKey,
  type TestPackage,
} from "../support/debian-repository.ts";

const essential = { Essential: "yes", Priority: "required" };

/** Enough of a Debian for the choice of packages and their extraction. */
const packages: readonly TestPackage[] = [
  { name: "base-files", fields: essential, files: { "etc/debian_version": "test\n" } },
  { name: "base-passwd", fields: { ...essential, Depends: "libc6" } },
  { name: "libc6", files: { "lib/libc.so.6": "libc\n", "bin/ldd": "ldd\n" } },
  {
    name: "dpkg",
    fields: { ...essential, "Pre-Depends": "libc6" },
    files: { "usr/bin/dpkg": "dpkg\n" },
  },
  { name: "apt", fields: { Depends: "libapt" } },
  { name: "libapt" },
  { name: "nginx", version: "1:1.2-3", fields: { Depends: "nginx-common (>= 2)" } },
  { name: "nginx-common", version: "1.0" },
];

let key: TestKey;
let directory: string;

beforeAll(async () => {
  key = await newKey();
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "thimble-rootfs-"));
  mkdirSync(join(directory, "work"));
  writeFileSync(join(directory, "keyring.gpg"), key.publicBytes);
});

afterEach(() => {
  expect(mountTable().filter(({ target }) => target.startsWith(directory))).toEqual([]);
  rmSync(directory, { recursive: true, force: true });
});

function optionsFor(url: string, others: Partial<DebootstrapOptions> = {}): DebootstrapOptions {
  return {
    suite: "test",
    variant: "minbase",
    include: [],
    mirror: url,
    keyring: join(directory, "keyring.gpg"),
    architecture: "amd64",
    cacheDir: join(directory, "cache"),
    workDir: join(directory, "work"),
    executor: { execute: async () => ({ exitCode: 0 }) },
    backoff: 1,
    ...others,
  };
}

async function faultOf(work: Promise<unknown>): Promise<Fault> {
  try {
    await work;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("no fault");
}

/** A run that must fail, and leave the work directory as empty as it found it. */
async function failure(
  files: ReadonlyMap<string, Uint8Array>,
  others: Partial<DebootstrapOptions> = {},
  fail: Parameters<typeof serve>[1] = undefined,
): Promise<Fault> {
  await using mirror = await serve(files, fail);
  const fault = await faultOf(debootstrap(optionsFor(mirror.url, others)));
  expect(readdirSync(join(directory, "work"))).toEqual([]);
  return fault;
}

test("the chosen packages are extracted, and dpkg gets all of them in two steps", async () => {
  await using mirror = await serve(await makeRepository({ packages, keys: [key] }));
  const tasks: ExecutorTask[] = [];
  const execute = async (task: ExecutorTask) => {
    tasks.push(task);
    if (tasks.length === 1) {
      const root = task.root.source;
      expect(readFileSync(join(root, "usr/lib/libc.so.6"), "utf8")).toBe("libc\n");
      expect(readFileSync(join(root, "bin/ldd"), "utf8")).toBe("ldd\n");
      expect(existsSync(join(root, "usr/sbin/policy-rc.d"))).toBe(true);
    }
    return { exitCode: 0 };
  };
  const tree = await debootstrap(optionsFor(mirror.url, { executor: { execute } }));
  expect(tree.packages.map(({ name }) => name)).toEqual([
    "apt",
    "base-files",
    "base-passwd",
    "dpkg",
    "libapt",
    "libc6",
  ]);
  const debs = tasks.map(({ argv }) =>
    argv.filter((word) => word.endsWith(".deb")).map((word) => word.replace(/.*\/|_.*/g, "")),
  );
  expect(debs[0]).toEqual(["base-passwd", "base-files", "libc6", "dpkg"]);
  expect(debs[1]).toEqual(["libapt", "apt"]);
  expect(tasks.every(({ network }) => network === "none")).toBe(true);
  const sources = readFileSync(
    join(tree.directory, "etc/apt/sources.list.d/debian.sources"),
    "utf8",
  );
  expect(sources).toContain(`URIs: ${mirror.url}\nSuites: test\n`);
  expect(sources).toContain("Signed-By: /etc/apt/keyrings/mirror.gpg");
  expect(readdirSync(join(tree.directory, "etc/apt/apt.conf.d"))).toEqual([
    "docker-clean",
    "docker-no-languages",
  ]);
  expect(readdirSync(join(directory, "work"))).toEqual(["root"]);
});

test("a signature by a key that is not in the keyring", async () => {
  const files = await makeRepository({ packages, keys: [await newKey()] });
  const fault = await failure(files);
  expect(fault.code).toBe("unauthenticated");
  expect(fault.message).toContain("not in the keyring");
});

test("a changed InRelease", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const text = Buffer.from(files.get("dists/test/InRelease") ?? "").toString();
  files.set("dists/test/InRelease", Buffer.from(text.replace("Origin: Test", "Origin: Tess")));
  const fault = await failure(files);
  expect(fault.code).toBe("unauthenticated");
  expect(fault.message).toContain("BAD signature");
});

test("an unsigned InRelease, and a login page in its place", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  files.set("dists/test/InRelease", Buffer.from("<html>Please log in</html>"));
  const fault = await failure(files);
  expect(fault.code).toBe("unauthenticated");
  expect(fault.message).toContain("something other than a Debian mirror answers");
});

test("a suite that answers for another", async () => {
  const files = await makeRepository({ packages, keys: [key], suite: "other" });
  const release = files.get("dists/other/InRelease") ?? Buffer.alloc(0);
  expect((await failure(new Map([["dists/test/InRelease", release]]))).message).toContain(
    "is of suite other, other, not test",
  );
});

test("an expired index", async () => {
  const files = await makeRepository({ packages, keys: [key], validUntil: new Date(0) });
  const text = await clearSign(
    `Suite: test\nCodename: test\nDate: ${new Date(0).toUTCString()}\nValid-Until: ${new Date(1e12).toUTCString()}\nSHA256:\n`,
    [key],
  );
  files.set("dists/test/InRelease", Buffer.from(text));
  const fault = await failure(files, { checkValidUntil: true });
  expect(fault.code).toBe("unavailable");
  expect(fault.message).toContain("expired at 2001-09-09");
});

test("a Packages file that is not the one that was signed for", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const packed = Buffer.from(files.get("dists/test/main/binary-amd64/Packages.gz") ?? "");
  packed[20] = (packed[20] ?? 0) ^ 1;
  files.set("dists/test/main/binary-amd64/Packages.gz", packed);
  const fault = await failure(files);
  expect(fault.code).toBe("data_loss");
  expect(fault.message).toContain("SHA-256");
});

test("a truncated package is asked for again, then refused", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const path = "pool/main/dpkg_1.0_amd64.deb";
  const deb = files.get(path) ?? Buffer.alloc(0);
  files.set(path, deb.subarray(0, 100));
  const fault = await failure(files);
  expect(fault.code).toBe("data_loss");
  expect(fault.message).toContain(`it ended after 100 of ${deb.byteLength} bytes`);
});

test("a package that is longer than promised", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const path = "pool/main/dpkg_1.0_amd64.deb";
  files.set(path, Buffer.concat([files.get(path) ?? Buffer.alloc(0), Buffer.alloc(1)]));
  expect((await failure(files)).message).toContain("it is longer than");
});

test("a package that the index names and the mirror does not have", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  files.delete("pool/main/libapt_1.0_amd64.deb");
  const fault = await failure(files);
  expect(fault.code).toBe("not_found");
  expect(fault.message).toContain("libapt_1.0_amd64.deb");
});

test("connections that break and a busy server are tried again", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  await using mirror = await serve(files, (_path, attempt) =>
    attempt === 1 ? "drop" : attempt === 2 ? 503 : undefined,
  );
  const tree = await debootstrap(optionsFor(mirror.url));
  expect(tree.packages).toHaveLength(6);
});

test("a cached file is not fetched again, and not trusted either", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  await using mirror = await serve(files);
  const run = async () => {
    await debootstrap(optionsFor(mirror.url));
    rmSync(join(directory, "work/root"), { recursive: true });
  };
  await run();
  const before = mirror.requests.length;
  await run();
  expect(mirror.requests.slice(before)).toEqual(["dists/test/InRelease"]);
  const [some = ""] = readdirSync(join(directory, "cache"));
  writeFileSync(join(directory, "cache", some), "changed");
  await run();
  expect(mirror.requests).toHaveLength(before + 3);
});

test("an unknown suite", async () => {
  const fault = await failure(new Map(), { suite: "bookwurm" });
  expect(fault.code).toBe("not_found");
  expect(fault.message).toContain("Did you mean bookworm?");
});

test("an unknown package", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const fault = await failure(files, { include: ["ngin"] });
  expect(fault.code).toBe("not_found");
  expect(fault.message).toContain("did you mean nginx?");
});

test("a dependency that cannot be met, with the way to it", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const fault = await failure(files, { include: ["nginx"] });
  expect(fault.code).toBe("conflict");
  expect(fault.message).toContain(
    "nginx depends on nginx-common (>= 2), but nginx-common (>= 2) is wanted and the suite has 1.0",
  );
});

test("no packages for the architecture", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const fault = await failure(files, { architecture: "riscv64" });
  expect(fault.code).toBe("unsupported");
  expect(fault.message).toContain("it has amd64");
});

test("a maintainer script that fails, with dpkg's last words", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const fault = await failure(files, {
    executor: {
      execute: async ({ onOutput }) => {
        onOutput?.("stderr", "dpkg: error processing package apt");
        return { exitCode: 1 };
      },
    },
  });
  expect(fault.message).toContain("dpkg: error processing package apt");
});

test("a package that dpkg finds unfinished", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const fault = await failure(files, {
    executor: {
      execute: async ({ argv, onOutput }) => {
        if (argv.includes("--audit")) onOutput?.("stdout", " apt  commandline package manager");
        return { exitCode: 0 };
      },
    },
  });
  expect(fault.message).toContain("apt  commandline package manager");
});

test("cancelling while dpkg runs", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const controller = new AbortController();
  const fault = await failure(files, {
    signal: controller.signal,
    executor: {
      execute: async () => {
        controller.abort();
        return { exitCode: 137 };
      },
    },
  });
  expect(fault.code).toBe("canceled");
});

test("cancelling while packages are downloaded", async () => {
  const files = await makeRepository({ packages, keys: [key] });
  const controller = new AbortController();
  const fault = await failure(files, { signal: controller.signal }, (path) => {
    if (path.endsWith("dpkg_1.0_amd64.deb")) controller.abort();
    return undefined;
  });
  expect(fault.code).toBe("canceled");
});

test("malformed names", async () => {
  expect((await failure(new Map(), { suite: "../etc" })).code).toBe("invalid");
  expect((await failure(new Map(), { include: ["--force"] })).code).toBe("invalid");
  expect((await failure(new Map(), { mirror: "ftp://mirror.example/debian" })).code).toBe(
    "invalid",
  );
});
