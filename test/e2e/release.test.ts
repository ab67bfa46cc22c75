import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFile, mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startRegistry } from "../support/registry-process.ts";
import { findS3Server } from "../support/s3-server.ts";

const clone = join(import.meta.dir, "../..");

/** The release file alone, in a directory that tries to run code in its name. */
describe("the release file", () => {
  let place = "";
  let runRoot = "";
  let daemon: Bun.Subprocess | undefined;
  let host = "";

  const environment = () => ({
    PATH: "/nowhere",
    HOME: place,
    TMPDIR: join(place, "tmp"),
    BUN_OPTIONS: "--preload=./hostile.ts",
    BUN_BE_BUN: "1",
  });

  async function thimble(...argv: string[]) {
    const child = Bun.spawn([join(place, "thimble"), "-H", host, ...argv], {
      cwd: place,
      env: environment(),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, status] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    return { out, err, status };
  }

  beforeAll(async () => {
    const build = Bun.spawn([process.execPath, "scripts/build.ts"], {
      cwd: clone,
      stdout: "pipe",
      stderr: "inherit",
    });
    expect(await build.exited).toBe(0);
    place = await mkdtemp("/var/tmp/thimble-release-");
    runRoot = await mkdtemp("/run/thimble-release-");
    // As Debian mounts /run: nothing there can be executed, or mapped to be.
    const mount = ["mount", "-t", "tmpfs", "-o", "noexec,nosuid,nodev", "none", runRoot];
    expect(Bun.spawnSync(mount).exitCode).toBe(0);
    host = `unix://${runRoot}/thimble.sock`;
    await mkdir(join(place, "tmp"));
    await copyFile(join(clone, "dist/thimble"), join(place, "thimble"));
    await writeFile(
      join(place, "hostile.ts"),
      `require("node:fs").writeFileSync(${JSON.stringify(join(place, "ran"))}, "");`,
    );
    await writeFile(join(place, "bunfig.toml"), 'preload = ["./hostile.ts"]\n');
    await writeFile(
      join(place, ".env"),
      "THIMBLE_HOST=unix:///hostile.sock\nBUN_OPTIONS=--preload=./hostile.ts\n",
    );
    await writeFile(join(place, "package.json"), '{"imports":{"#cli":"./hostile.ts"}}\n');
    await writeFile(
      join(place, "tsconfig.json"),
      '{"compilerOptions":{"paths":{"*":["./hostile.ts"]}}}\n',
    );
    daemon = Bun.spawn(
      [
        join(place, "thimble"),
        "daemon",
        "--data-root",
        join(place, "data"),
        "--run-root",
        runRoot,
        "-H",
        host,
      ],
      { cwd: place, env: environment(), stdin: "ignore", stdout: "ignore", stderr: "inherit" },
    );
    while ((await thimble("info")).status !== 0) {
      if (daemon.exitCode !== null) throw new Error("the engine of the release file has ended");
    }
  });

  afterAll(async () => {
    daemon?.kill("SIGTERM");
    await daemon?.exited;
    await rm(place, { recursive: true, force: true });
    Bun.spawnSync(["umount", "--lazy", runRoot]);
    await rm(runRoot, { recursive: true, force: true });
  });

  test("makes an image and runs it without node, npm, compiler or PATH", async () => {
    expect(await thimble("mkimage", "-t", "tiny", "scratch", "/bin/busybox")).toMatchObject({
      status: 0,
    });
    expect(await thimble("run", "--rm", "tiny", "/busybox", "echo", "hello")).toEqual({
      out: "hello\n",
      err: "",
      status: 0,
    });
    expect((await thimble("run", "--rm", "tiny", "/busybox", "sh", "-c", "exit 7")).status).toBe(7);
    expect((await thimble("explain", "tiny")).out).toContain("/busybox");
  });

  test("runs nothing of the directory it stands in, and leaves nothing in TMPDIR", async () => {
    await thimble("version");
    expect(await readdir(place)).not.toContain("ran");
    expect(await readdir(join(place, "tmp"))).toEqual([]);
  });

  test("serves a registry from a bucket, with tokens, and pushes and pulls there", async () => {
    await using s3 = await findS3Server();
    const htpasswd = join(place, "htpasswd");
    const hash = await Bun.password.hash("secret", { algorithm: "bcrypt", cost: 4 });
    await writeFile(htpasswd, `me:${hash}\n`);
    const { accessKeyId, secretAccessKey } = s3.credentials;
    const bucket = ["--s3", `${s3.bucket}/release`, "--s3-endpoint", s3.endpoint];
    await using registry = await startRegistry(
      ["--htpasswd", htpasswd, "--token", ...bucket],
      join(place, "registry"),
      {
        argv: [join(place, "thimble")],
        env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
      },
    );
    const asked = await fetch(`${registry.url}/token?scope=repository:app:pull,push`, {
      headers: { Authorization: `Basic ${btoa("me:secret")}` },
    });
    const { token } = (await asked.json()) as { token: string };
    const digest = `sha256:${new Bun.CryptoHasher("sha256").update("hello").digest("hex")}`;
    const blobs = `${registry.url}/v2/app/blobs`;
    const headers = { Authorization: `Bearer ${token}` };
    expect((await fetch(`${blobs}/${digest}`)).status).toBe(401);
    const begun = await fetch(`${blobs}/uploads/?digest=${digest}`, {
      method: "POST",
      body: "hello",
      headers,
    });
    expect([begun.status, await begun.text()]).toEqual([201, ""]);
    expect(await (await fetch(`${blobs}/${digest}`, { headers })).text()).toBe("hello");
    const image = `${registry.host}/app:1`;
    for (const command of [
      ["login", "-u", "me", "-p", "secret", registry.host],
      ["tag", "tiny", image],
      ["push", image],
      ["rmi", image],
      ["pull", image],
    ]) {
      expect({ command, ...(await thimble(...command)) }).toMatchObject({ command, status: 0 });
    }
  });
});
