/**
 * `docker run` and its flags, by the real docker CLI. Shown to pass on dockerd 28.5.2
 * with docker CLI 28.2.2: DOCKER_HOST=... bun test test/conformance
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("docker run [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });
  const run = (flags: readonly string[], ...command: string[]) =>
    target.docker(["run", "--rm", ...flags, image, ...command]);
  const out = async (flags: readonly string[], ...command: string[]) => {
    const { status, stdout, stderr } = await run(flags, ...command);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    return stdout;
  };

  test("keeps standard output and standard error apart", async () => {
    expect(await run([], "sh", "-c", "echo out; echo err >&2; exit 7")).toEqual({
      status: 7,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  test("-i passes standard input to its end", async () => {
    const input = `${"x".repeat(300_000)}\n`;
    const { stdout } = await target.docker(["run", "--rm", "-i", image, "cat"], { input });
    expect(stdout).toBe(input);
  });

  test("without -i there is no standard input", async () => {
    expect(await out([], "cat")).toBe("");
  });

  test("-it gives a terminal with the client's size", async () => {
    const session = target.terminal(["run", "--rm", "-it", image, "sh"]);
    await session.until("# ");
    session.send("tty; stty size; exit 5\n");
    const { status, stdout } = await session.ended;
    expect(stdout).toContain("/dev/pts/0");
    expect(status).toBe(5);
  });

  test("-e, --env-file and the client's own variables", async () => {
    const file = join(target.directory, "env");
    writeFileSync(file, "C=3\n");
    const env = await target.ok(
      ["run", "--rm", "-e", "A=1 2", "-e", "FROM", "--env-file", file, image, "env"],
      { env: { FROM: "me" } },
    );
    expect(env.split("\n")).toEqual(
      expect.arrayContaining(["A=1 2", "FROM=me", "C=3", "PATH=/bin"]),
    );
  });

  test("-w, -u, --group-add", async () => {
    expect(await out(["-w", "/made/here"], "pwd")).toBe("/made/here\n");
    expect(await out(["-u", "user"], "id")).toBe(
      "uid=1000(user) gid=1000(user) groups=1000(user)\n",
    );
    expect(await out(["-u", "12:34", "--group-add", "56"], "id")).toBe(
      "uid=12 gid=34 groups=34,56\n",
    );
  });

  test("-v binds a directory, read-only too, and makes a missing one", async () => {
    const shared = join(target.shared, "a");
    mkdirSync(shared);
    writeFileSync(join(shared, "a"), "from the host");
    expect(await out(["-v", `${shared}:/mnt`], "sh", "-c", "cat /mnt/a; echo back > /mnt/b")).toBe(
      "from the host",
    );
    expect(readFileSync(join(shared, "b"), "utf8")).toBe("back\n");
    const readonly = await run(["-v", `${shared}:/mnt:ro`], "touch", "/mnt/c");
    expect(readonly.stderr).toContain("Read-only file system");
    expect(await out(["-v", `${shared}/made:/mnt`], "ls", "/mnt")).toBe("");
    expect(await out(["--mount", `type=bind,src=${shared},dst=/m,readonly`], "cat", "/m/a")).toBe(
      "from the host",
    );
  });

  test("--entrypoint takes the command's place", async () => {
    expect(await out(["--entrypoint", "echo"], "a", "b")).toBe("a b\n");
  });

  test("--hostname, and the id as host name by default", async () => {
    expect(await out(["--hostname", "box"], "sh", "-c", "hostname; grep -c box /etc/hosts")).toBe(
      "box\n1\n",
    );
    const name = target.name();
    const hostname = await target.ok(["run", "--name", name, image, "hostname"]);
    const id = await target.ok(["inspect", "-f", "{{.Id}}", name]);
    expect(id).toStartWith(hostname);
    expect(hostname).toHaveLength(12);
  });

  test("--read-only and --tmpfs", async () => {
    const script = "touch /a; touch /run/b && df /run | tail -1 | cut -c1-5";
    const { stdout, stderr } = await run(
      ["--read-only", "--tmpfs", "/run:size=1m"],
      "sh",
      "-c",
      script,
    );
    expect(stderr).toContain("Read-only file system");
    expect(stdout).toBe("tmpfs\n");
  });

  test("limits are in the control groups afterwards", async () => {
    const script =
      "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes; " +
      "cat /sys/fs/cgroup/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids/pids.max; " +
      "cat /sys/fs/cgroup/cpu.max 2>/dev/null || cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us";
    const limits = await out(
      ["--memory", "64m", "--pids-limit", "33", "--cpus", "0.5"],
      "sh",
      "-c",
      script,
    );
    expect(limits).toMatch(/^67108864\n33\n50000( 100000)?\n$/);
  });

  test("capabilities: Docker's default set, --cap-add, --cap-drop, --privileged", async () => {
    // A machine may lack capabilities itself; then creating warns.
    const effective = async (...flags: string[]) =>
      BigInt(
        `0x${(await run(flags, "grep", "CapEff", "/proc/self/status")).stdout.slice(8).trim()}`,
      );
    const standard = await effective();
    expect(standard).toBe(0xa80425fbn);
    expect(await effective("--cap-drop", "ALL", "--cap-add", "CHOWN")).toBe(1n);
    expect(await effective("--cap-add", "net_admin")).toBe(standard | (1n << 12n));
    expect((await effective("--privileged")) & (1n << 21n)).toBe(1n << 21n);
  });

  test("--init puts a reaper in place of process 1", async () => {
    expect(await out(["--init"], "sh", "-c", "echo $$")).not.toBe("1\n");
    expect(await out([], "sh", "-c", "echo $$")).toBe("1\n");
  });

  test("--stop-signal sets the signal of stop", async () => {
    const name = target.name();
    const script = "trap 'echo usr1; exit 9' USR1; echo ready; while :; do sleep 0.1; done";
    await target.ok([
      "run",
      "-d",
      "--name",
      name,
      "--stop-signal",
      "USR1",
      image,
      "sh",
      "-c",
      script,
    ]);
    await target.session(["logs", "-f", name]).until("ready");
    await target.ok(["stop", name]);
    expect(
      await target.ok(["inspect", "-f", "{{.State.ExitCode}} {{.Config.StopSignal}}", name]),
    ).toBe("9 USR1");
  });

  test("--network none has only lo, host has the host's", async () => {
    expect(await out(["--network", "none"], "ls", "/sys/class/net")).toBe("lo\n");
    const interfaces = await out(["--network", "host"], "ls", "/sys/class/net");
    expect(interfaces.split("\n").length).toBeGreaterThan(2);
    expect((await out([], "ls", "/sys/class/net")).split("\n")).toContain("eth0");
  });

  test("--rm leaves nothing, -d prints the id and goes on", async () => {
    const name = target.name();
    const id = await target.ok(["run", "-d", "--rm", "--name", name, image, "sleep", "100"]);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await target.ok(["ps", "-q", "--no-trunc", "-f", `name=${name}`])).toBe(id);
    await target.ok(["kill", name]);
    for (;;) if ((await target.docker(["inspect", name])).status !== 0) break;
  });

  test("--cidfile, -a and labels", async () => {
    const cidfile = join(target.directory, "cid");
    const ran = await run(
      ["--cidfile", cidfile, "-a", "stderr", "-l", "a=b"],
      "sh",
      "-c",
      "echo o; echo e >&2",
    );
    expect([ran.stdout, ran.stderr]).toEqual(["", "e\n"]);
    expect(readFileSync(cidfile, "utf8")).toMatch(/^[0-9a-f]{64}$/);
  });

  test("signals that the client gets reach the program", async () => {
    const name = target.name();
    const script = "trap 'exit 42' TERM; echo ready; while :; do sleep 0.1; done";
    const session = target.session(["run", "--name", name, image, "sh", "-c", script]);
    await session.until("ready");
    session.signal("SIGTERM");
    expect((await session.ended).status).toBe(42);
  });
});
