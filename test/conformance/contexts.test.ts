/**
 * Contexts in Docker's files, by thimble and the real docker CLI in turn, and engines that are
 * reached through ssh and TLS by thimble's client.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueEngineCertificates } from "#local";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { freePort } from "../support/free-port.ts";

const clone = join(import.meta.dir, "../..");
const here = describe.skipIf(!dockerPath || !isRoot || process.env.DOCKER_HOST !== undefined);

/** In place of the network: runs the command as the login shell of the other end would. */
const sshScript = `#!/bin/sh
echo "$@" >> "$SSH_LOG"
while [ "$1" != -- ]; do shift; done
shift 2
exec sh -c "$*"
`;

here("contexts and remote engines [needs docker CLI]", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-context-"));
  const config = join(directory, "config");
  let target: DockerTarget;
  let port: number;
  let env: Record<string, string>;

  beforeAll(async () => {
    const made = { directory: join(directory, "tls"), hosts: [], client: "client", days: 1 };
    await issueEngineCertificates(made);
    port = await freePort();
    const daemonFlags = [
      "-H",
      `tcp://127.0.0.1:${port}`,
      "--tlsverify",
      "--config-root",
      directory,
    ];
    target = await openDockerTarget({ daemonFlags });
    const programs = join(directory, "bin");
    mkdirSync(programs);
    writeFileSync(join(programs, "ssh"), sshScript);
    chmodSync(join(programs, "ssh"), 0o755);
    symlinkSync(join(clone, "thimble"), join(programs, "thimble"));
    env = {
      DOCKER_CONFIG: config,
      DOCKER_HOST: "",
      SSH_LOG: join(directory, "ssh.log"),
      PATH: `${programs}:${process.env.PATH}`,
    };
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const docker = (...args: string[]) => target.docker(args, { env });
  async function thimble(args: readonly string[], options: { input?: string; env?: object } = {}) {
    const child = Bun.spawn([join(clone, "thimble"), ...args], {
      env: { ...process.env, ...env, ...options.env },
      stdin: Buffer.from(options.input ?? ""),
      stdout: "pipe",
      stderr: "pipe",
      cwd: directory,
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { status: await child.exited, stdout, stderr };
  }
  const clientFiles = () =>
    ["ca", "cert", "key"]
      .map((name) => `${name}=${join(directory, "tls/client", name)}.pem`)
      .join();

  test("either CLI sees, uses and removes what the other made", async () => {
    const host = `host=tcp://127.0.0.1:${port},${clientFiles()}`;
    expect(
      await thimble(["context", "create", "far", "--description", "a b", "--docker", host]),
    ).toEqual({
      status: 0,
      stdout: "far\n",
      stderr: 'Successfully created context "far"\n',
    });
    expect(
      (await docker("context", "create", "near", "--docker", `host=${target.host}`)).status,
    ).toBe(0);
    const shown = await docker("context", "inspect", "far", "near");
    expect(JSON.parse((await thimble(["context", "inspect", "far", "near"])).stdout)).toEqual(
      JSON.parse(shown.stdout),
    );
    const names = (text: string) => text.trim().split("\n");
    expect(names((await thimble(["context", "ls", "-q"])).stdout)).toEqual(
      names((await docker("context", "ls", "-q")).stdout),
    );
    const table = (text: string) => text.replaceAll(/ +/g, " ").replace(/unix:.*sock/, "SOCKET");
    const listed = await thimble(["context", "ls"]);
    const theirs = await docker("context", "ls");
    expect([listed.status, table(listed.stdout)]).toEqual([0, table(theirs.stdout)]);
    const [own, peer] = [
      await thimble(["--context", "far", "version", "-f", "{{.Server.Version}}"]),
      await docker("--context", "far", "version", "-f", "{{.Server.Version}}"),
    ];
    expect([own.status, own.stdout]).toEqual([0, peer.stdout]);
    const ways = [
      ["-c", "far"],
      ["-H", target.host],
    ];
    for (const [verb, field] of [
      ["version", ".Client"],
      ["info", ".ClientInfo"],
    ] as const)
      for (const way of ways) {
        const args = [...way, verb, "-f", `{{${field}.Context}}`];
        const [own, peer] = [await thimble(args), await docker(...args)];
        expect({ args, said: own.stdout }).toEqual({ args, said: peer.stdout });
      }
    expect((await docker("context", "use", "near")).status).toBe(0);
    expect((await thimble(["context", "show"])).stdout).toBe("near\n");
    expect((await thimble(["images", "-q"])).stdout).toBe((await docker("images", "-q")).stdout);
    expect(await thimble(["context", "rm", "near"])).toMatchObject({
      status: 1,
      stderr: 'context "near" is in use, set -f flag to force remove\n',
    });
    expect((await thimble(["context", "use", "default"])).stdout).toBe("default\n");
    expect((await docker("context", "show")).stdout).toBe("default\n");
    expect((await docker("context", "rm", "near")).status).toBe(0);
    const gone = await thimble(["--context", "near", "ps"]);
    expect([gone.status, gone.stderr]).toEqual([
      1,
      expect.stringContaining('context "near": context not found'),
    ]);
  });

  test("an archive of either CLI is imported by the other", async () => {
    for (const [write, read] of [
      [thimble, (args: string[]) => docker(...args)],
      [(args: string[]) => docker(...args), thimble],
    ] as const) {
      const file = join(directory, "archive");
      expect(await write(["context", "export", "far", file])).toMatchObject({ status: 0 });
      expect(await read(["context", "import", "again", file])).toMatchObject({
        status: 0,
        stdout: "again\n",
      });
      expect((await thimble(["--context", "again", "version"])).status).toBe(0);
      expect((await docker("context", "rm", "again")).status).toBe(0);
      rmSync(file);
    }
  });

  test.each([
    [["context", "create", "default"], '"default" is a reserved context name'],
    [["context", "create", "a b"], 'context name "a b" is invalid'],
    [["context", "create", "far"], 'context "far" already exists'],
    [
      ["context", "create", "next", "--docker", "host=tcp://a:1,bogus=1"],
      "unrecognized config key: bogus",
    ],
    [
      ["context", "create", "next", "--docker", "host=bad"],
      "unable to create docker endpoint config",
    ],
    [["context", "use", "nowhere"], 'context "nowhere": context not found'],
    [["context", "rm", "default"], 'context "default" cannot be removed'],
    [["--context", "far", "-H", "/x", "ps"], "cannot specify both --host and --context"],
  ])("%p is refused as by docker", async (args, why) => {
    const [own, peer] = [await thimble(args), await docker(...args)];
    expect([own.status, own.stderr]).toEqual([1, expect.stringContaining(why)]);
    expect(peer.status).toBe(1);
  });

  test("variables and flags of TLS reach the engine, and a wrong authority does not", async () => {
    const tls = {
      DOCKER_HOST: `tcp://localhost:${port}`,
      DOCKER_CERT_PATH: join(directory, "tls/client"),
    };
    const input = "y".repeat(300_000);
    const counted = await thimble(["run", "-i", "--rm", image, "sh", "-c", "wc -c; echo after"], {
      input,
      env: { ...tls, DOCKER_TLS_VERIFY: "1" },
    });
    expect(counted).toEqual({ status: 0, stdout: "300000\nafter\n", stderr: "" });
    expect((await thimble(["--tlsverify", "images", "-q"], { env: tls })).status).toBe(0);
    const plain = await thimble(["images", "-q"], { env: tls });
    expect([plain.status, plain.stderr]).toEqual([
      1,
      expect.stringContaining("HTTP request to an HTTPS server"),
    ]);
    const wrong = ["--tlsverify", "--tlscacert", join(directory, "tls/client/cert.pem"), "images"];
    const refused = await thimble(wrong, { env: tls });
    expect([refused.status, refused.stderr]).toEqual([
      1,
      expect.stringContaining("does not show a certificate that is to be trusted"),
    ]);
  });

  test("ssh carries a session to the end, and its errors are told", async () => {
    const remote = { DOCKER_HOST: `ssh://me@far.example:2222${target.socket}` };
    const counted = await thimble(["run", "-i", "--rm", image, "sh", "-c", "wc -c; exit 5"], {
      input: "y".repeat(300_000),
      env: remote,
    });
    expect(counted).toEqual({ status: 5, stdout: "300000\n", stderr: "" });
    const log = await Bun.file(env.SSH_LOG ?? "").text();
    expect(log).toStartWith("-o ConnectTimeout=30 -T -l me -p 2222 -- far.example sh -c ");
    writeFileSync(join(directory, "bin/ssh"), "#!/bin/sh\necho no route >&2; exit 255\n");
    const failed = await thimble(["ps"], { env: remote });
    expect([failed.status, failed.stderr]).toEqual([1, expect.stringContaining("ssh: no route")]);
    writeFileSync(join(directory, "bin/ssh"), sshScript);
  });

  test("the docker CLI reaches an engine through thimble's end of ssh", async () => {
    symlinkSync(join(clone, "thimble"), join(directory, "bin/docker"));
    const path = `${directory}/bin:${process.env.PATH}`;
    const far = {
      ...env,
      PATH: path,
      DOCKER_HOST: "ssh://me@far.example",
      THIMBLE_HOST: target.host,
    };
    const child = Bun.spawn([dockerPath ?? "", "run", "-i", "--rm", image, "wc", "-c"], {
      env: { ...process.env, ...far, DOCKER_TLS_VERIFY: undefined },
      stdin: Buffer.from("y".repeat(300_000)),
      stdout: "pipe",
      stderr: "pipe",
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect([await child.exited, stdout, stderr]).toEqual([0, "300000\n", ""]);
    rmSync(join(directory, "bin/docker"));
  });
});
