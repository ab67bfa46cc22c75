/**
 * ps, logs, stop, kill, wait, rename, rm, inspect and events, by the real docker CLI.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("the life of a container [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });
  const detached = async (script: string, ...flags: string[]) => {
    const name = target.name();
    await target.ok(["run", "-d", "--name", name, ...flags, image, "sh", "-c", script]);
    return name;
  };
  const inspect = (name: string, template: string) => target.ok(["inspect", "-f", template, name]);

  test("ps shows running containers, -a all, filters choose", async () => {
    const name = await detached("sleep 100", "-l", "kind=ps");
    const created = target.name();
    await target.ok(["create", "--name", created, "-l", "kind=ps", image, "echo", "a b"]);
    const ps = async (...args: string[]) =>
      (
        await target.ok([
          "ps",
          "--no-trunc",
          "-f",
          "label=kind=ps",
          "--format",
          "{{.Names}} {{.Command}} {{.State}}",
          ...args,
        ])
      ).split("\n");
    expect(await ps()).toEqual([`${name} "sh -c 'sleep 100'" running`]);
    expect(await ps("-a")).toEqual([
      `${created} "echo 'a b'" created`,
      `${name} "sh -c 'sleep 100'" running`,
    ]);
    expect(await ps("-n", "1")).toEqual([`${created} "echo 'a b'" created`]);
    expect(await ps("-a", "-f", "status=created")).toEqual([`${created} "echo 'a b'" created`]);
    expect(await ps("-a", "-f", `name=${name}`)).toHaveLength(1);
    expect(await ps("-a", "-f", `ancestor=${image}`)).toHaveLength(2);
    expect(
      await target.ok(["ps", "-a", "-f", `name=${name}`, "--format", "{{.Status}}"]),
    ).toStartWith("Up ");
    expect(await target.ok(["ps", "-as", "-f", `name=${name}`, "--format", "{{.Size}}"])).toContain(
      "virtual",
    );
    expect((await target.docker(["ps", "-f", "foo=bar"])).stderr).toContain("invalid filter 'foo'");
  });

  test("logs, with tail, timestamps and both streams apart", async () => {
    const name = await detached("echo one; echo two >&2; printf three");
    await target.ok(["wait", name]);
    expect(await target.docker(["logs", name])).toEqual({
      status: 0,
      stdout: "one\nthree",
      stderr: "two\n",
    });
    const tail = await target.docker(["logs", "--tail", "1", name]);
    expect(tail.stdout + tail.stderr).toBe("three");
    const stamped = await target.docker(["logs", "-t", "--tail", "all", name]);
    expect(stamped.stdout).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z one\n/);
    expect((await target.docker(["logs", "--since", "2099-01-01T00:00:00Z", name])).stdout).toBe(
      "",
    );
  });

  test("logs -f goes on to the end of the program", async () => {
    const name = await detached("echo one; while [ ! -e /go ]; do sleep 0.05; done; echo two");
    const session = target.session(["logs", "-f", name]);
    await session.until("one\n");
    await target.ok(["exec", name, "touch", "/go"]);
    expect(await session.ended).toMatchObject({ status: 0, stdout: "one\ntwo\n" });
  });

  test("stop ends by signal, then by force; start and restart bring it back", async () => {
    const name = await detached("trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done");
    await target.session(["logs", "-f", name]).until("ready");
    await target.ok(["stop", name]);
    expect(await inspect(name, "{{.State.Status}} {{.State.ExitCode}} {{.State.Pid}}")).toBe(
      "exited 3 0",
    );
    await target.ok(["stop", name]);
    await target.ok(["start", name]);
    await target.ok(["restart", "-t", "0", name]);
    expect(await inspect(name, "{{.State.Running}}")).toBe("true");
    const deaf = await detached("sleep 100; true");
    await target.ok(["stop", "-t", "0", deaf]);
    expect(await inspect(deaf, "{{.State.ExitCode}}")).toBe("137");
  });

  test("kill sends signals by name and number", async () => {
    const name = await detached("trap 'exit 4' USR2; echo ready; while :; do sleep 0.05; done");
    await target.session(["logs", "-f", name]).until("ready");
    expect((await target.docker(["kill", "-s", "FOO", name])).stderr).toContain(
      "invalid signal: FOO",
    );
    await target.ok(["kill", "-s", "12", name]);
    expect(await target.ok(["wait", name])).toBe("4");
    const again = await target.docker(["kill", name]);
    expect(again.stderr).toContain(`cannot kill container: ${name}: container`);
    expect(again.stderr).toContain("is not running");
  });

  test("rename, and its refusals", async () => {
    const name = await detached("sleep 100");
    const other = target.name();
    const renamed = target.name();
    await target.ok(["create", "--name", other, image]);
    expect((await target.docker(["rename", name, other])).stderr).toContain(
      "is already in use by container",
    );
    await target.ok(["rename", name, renamed]);
    expect(await inspect(renamed, "{{.Name}}")).toBe(`/${renamed}`);
  });

  test("rm refuses a running container, -f does not", async () => {
    const name = await detached("sleep 100");
    const { status, stderr } = await target.docker(["rm", name]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `cannot remove container "${name}": container is running: stop the container before removing or force remove`,
    );
    await target.ok(["rm", "-f", name]);
    expect((await target.docker(["rm", name])).stderr).toContain(`No such container: ${name}`);
    expect(await target.docker(["rm", "-f", name])).toMatchObject({ status: 0 });
  });

  test("system prune comes to its end", async () => {
    const filter = `label=${target.name()}`;
    expect(await target.ok(["system", "prune", "-f", "--filter", filter])).toContain(
      "Total reclaimed space: 0B",
    );
  });

  test("start -a attaches and passes the status on", async () => {
    const name = target.name();
    await target.ok(["create", "--name", name, "-i", image, "sh", "-c", "cat; exit 6"]);
    expect(await target.docker(["start", "-ai", name], { input: "in\n" })).toMatchObject({
      status: 6,
      stdout: "in\n",
    });
  });

  test("top lists the processes", async () => {
    const name = await detached("sleep 100; true");
    const { stdout, stderr, status } = await target.docker(["top", name]);
    if (stderr.includes("executable file not found")) return;
    expect(status).toBe(0);
    expect(stdout.split("\n")[0]).toMatch(/^UID\s+PID\s+PPID/);
    expect(stdout).toContain("sleep 100");
  });

  test("a container is found by the beginning of its id", async () => {
    const name = await detached("sleep 100");
    const id = await inspect(name, "{{.Id}}");
    expect(await inspect(id.slice(0, 12), "{{.Name}}")).toBe(`/${name}`);
  });

  test("events tell of a container's life", async () => {
    const name = target.name();
    const format = "{{.Action}} {{.Actor.Attributes.name}}";
    await target.docker(["run", "--name", name, image, "sh", "-c", "exit 3"]);
    await target.ok(["rm", name]);
    const past = (...args: string[]) =>
      target.session(["events", "--since", "1m", "-f", `container=${name}`, ...args]);
    const all = past("--format", format);
    const text = await all.until(`destroy ${name}`);
    all.signal("SIGKILL");
    const actions = text
      .trim()
      .split("\n")
      .map((line) => line.split(" ")[0]);
    expect(actions).toEqual(["create", "attach", "start", "die", "destroy"]);
    const died = past("-f", "event=die", "--format", "{{.Type}} {{.Actor.Attributes.exitCode}}");
    await died.until("container 3\n");
    died.signal("SIGKILL");
  });

  test("the exit status of a program that ran out of memory", async () => {
    const name = target.name();
    const eat = "head -c 200m /dev/zero | tail -c 200m > /dev/null; sleep 0.2; exit 5";
    await target.docker([
      "run",
      "--name",
      name,
      "-m",
      "20m",
      "--memory-swap",
      "20m",
      image,
      "sh",
      "-c",
      eat,
    ]);
    expect(await inspect(name, "{{.State.OOMKilled}}")).toBe("true");
  });

  test("a paused container stands still, is listed, and refuses what needs it to move", async () => {
    const name = await detached("sleep 100");
    const id = await inspect(name, "{{.Id}}");
    expect(await target.docker(["unpause", name])).toMatchObject({
      status: 1,
      stderr: `Error response from daemon: Container ${id} is not paused\n`,
    });
    expect(await target.ok(["pause", name])).toBe(name);
    expect(await inspect(name, "{{.State.Status}} {{.State.Running}} {{.State.Paused}}")).toBe(
      "paused true true",
    );
    const listed = ["ps", "-f", `name=${name}`, "--format", "{{.Status}} {{.State}}"];
    expect(await target.ok(listed)).toMatch(/^Up .* \(Paused\) paused$/);
    const refusals: readonly (readonly [readonly string[], string])[] = [
      [["pause", name], `Container ${id} is already paused`],
      [["exec", name, "true"], `Container ${name} is paused, unpause the container before exec`],
      [
        ["rm", name],
        `cannot remove container "${name}": container is paused and must be unpaused first`,
      ],
      [["start", name], "cannot start a paused container, try unpause instead"],
    ];
    for (const [argv, why] of refusals) {
      const { status, stderr } = await target.docker([...argv]);
      expect([status, stderr]).toEqual([1, expect.stringContaining(why)]);
    }
    expect(await target.ok(["unpause", name])).toBe(name);
    expect(await target.ok(["exec", name, "echo", "on"])).toBe("on");
    const until = String(Date.now() / 1000 + 1);
    const events = ["events", "--since", "1h", "--until", until, "-f", `container=${name}`];
    const actions = (await target.ok([...events, "--format", "{{.Action}}"])).split("\n");
    expect(actions.filter((action) => action.includes("pause"))).toEqual(["pause", "unpause"]);
  });

  test.each([
    ["a signal", ["kill", "-s", "HUP"], "running"],
    ["stop", ["stop", "-t", "0"], "exited"],
    ["kill", ["kill"], "exited"],
    ["rm -f", ["rm", "-f"], ""],
  ] as const)("%s ends the pause of a container", async (_, argv, after) => {
    const name = await detached("trap : HUP; while :; do sleep 1; done");
    await target.ok(["pause", name]);
    await target.ok([...argv, name]);
    const format = ["--format", "{{.State}}"];
    expect(await target.ok(["ps", "-a", "-f", `name=${name}`, ...format])).toBe(after);
  });

  test("what does not run cannot be paused", async () => {
    const name = target.name();
    const id = await target.ok(["create", "--name", name, image, "true"]);
    const { status, stderr } = await target.docker(["pause", name]);
    expect([status, stderr]).toEqual([
      1,
      `Error response from daemon: container ${id} is not running\n`,
    ]);
  });

  test("stats agree with the limits and the work of a container", async () => {
    const limits = ["--memory", "64m", "--pids-limit", "50"];
    const name = await detached("while :; do :; done", ...limits);
    const idle = await detached("sleep 100");
    const stats = async (...args: string[]) =>
      JSON.parse(await target.ok(["stats", "--no-stream", "--format", "json", ...args]));
    const busy = await stats(name);
    expect(busy).toMatchObject({ Name: name, PIDs: "1" });
    expect(busy.MemUsage).toMatch(/^[\d.]+(KiB|MiB) \/ 64MiB$/);
    expect(Number.parseFloat(busy.CPUPerc)).toBeGreaterThan(1);
    expect(Number.parseFloat((await stats(idle)).CPUPerc)).toBeLessThan(1);
    const listed = await target.ok(["stats", "--no-stream", "--format", "{{.Name}}"]);
    expect(listed.split("\n")).toEqual(expect.arrayContaining([name, idle]));
    await target.ok(["kill", name]);
    expect(await stats(name)).toMatchObject({ MemUsage: "0B / 0B", CPUPerc: "0.00%" });
    expect(await target.docker(["stats", "--no-stream", "none-such"])).toMatchObject({
      status: 1,
      stderr: "Error response from daemon: No such container: none-such\n",
    });
  });

  test("update changes limits while a container runs, and its restart policy", async () => {
    const name = await detached("sleep 1000", "-m", "64m", "--pids-limit", "50");
    const host = (field: string) => inspect(name, `{{json .HostConfig.${field}}}`);
    const limits = [
      "--pids-limit",
      "60",
      "-m",
      "32m",
      "--cpus",
      "0.5",
      "--restart",
      "on-failure:2",
    ];
    expect(await target.ok(["update", ...limits, name])).toBe(name);
    expect([
      await host("Memory"),
      await host("MemorySwap"),
      await host("NanoCpus"),
      await host("PidsLimit"),
      JSON.parse(await host("RestartPolicy")),
    ]).toEqual([
      String(32 << 20),
      String(128 << 20),
      "500000000",
      "60",
      { Name: "on-failure", MaximumRetryCount: 2 },
    ]);
    const usage = JSON.parse(
      await target.ok(["stats", "--no-stream", "--format", "json", name]),
    ) as { MemUsage: string };
    expect(usage.MemUsage).toEndWith("/ 32MiB");
    await target.ok(["update", "--pids-limit", "-1", name]);
    expect(await host("PidsLimit")).toBe(target.ours ? "null" : "-1");
    await target.ok(["restart", "-t", "0", name]);
    expect(await host("Memory")).toBe(String(32 << 20));
    const id = await inspect(name, "{{.Id}}");
    for (const [flags, why] of [
      [["-m", "200m"], "Memory limit should be smaller than already set memoryswap limit"],
      [["--cpu-quota", "50000"], "CPU Quota cannot be updated as NanoCPUs has already been set"],
    ] as const) {
      const { status, stderr } = await target.docker(["update", ...flags, name]);
      expect([status, stderr]).toEqual([
        1,
        expect.stringMatching(new RegExp(`Cannot update container ${id}: .*${why}`)),
      ]);
    }
    for (const [flags, why] of [
      [["-m", "1m"], "Minimum memory limit allowed is 6MB"],
      [["--restart", "sometimes"], "invalid restart policy: unknown policy 'sometimes'"],
    ] as const) {
      const { status, stderr } = await target.docker(["update", ...flags, name]);
      expect([status, stderr]).toEqual([1, expect.stringContaining(why)]);
    }
    expect(await target.docker(["update", "-m", "64m", "none-such"])).toMatchObject({
      status: 1,
      stderr: "Error response from daemon: No such container: none-such\n",
    });
  });
});
