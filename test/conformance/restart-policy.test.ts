/**
 * Restart policies, by the real docker CLI. Compared by hand with dockerd 28.5.2.
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

here("restart policies [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });
  const run = async (policy: string, script: string) => {
    const name = target.name();
    const flags = ["-d", "--network", "none", "--restart", policy];
    await target.ok(["run", ...flags, "--name", name, image, "sh", "-c", script]);
    return name;
  };
  const inspect = (name: string, template: string) => target.ok(["inspect", "-f", template, name]);
  const until = async (name: string, template: string, wanted: RegExp) => {
    for (;;) {
      const shown = await inspect(name, template);
      if (wanted.test(shown)) return shown;
      await Bun.sleep(20);
    }
  };

  test("on-failure starts a failing container as often as it says, with an event for each end", async () => {
    const name = await run("on-failure:2", "echo $((1)); exit 3");
    await until(name, "{{.RestartCount}} {{.State.Status}}", /^2 exited$/);
    expect(await inspect(name, "{{.State.ExitCode}} {{.HostConfig.RestartPolicy}}")).toBe(
      "3 {on-failure 2}",
    );
    expect(await target.ok(["logs", name])).toBe("1\n1\n1");
    const until_ = String(Date.now() / 1000 + 1);
    const events = ["events", "--since", "1h", "--until", until_, "-f", `container=${name}`];
    const actions = (await target.ok([...events, "--format", "{{.Action}}"])).split("\n");
    expect(actions).toEqual(["create", "start", "die", "start", "die", "start", "die"]);
  });

  test("on-failure lets one that succeeds end", async () => {
    const name = await run("on-failure", "exit 0");
    expect(await target.ok(["wait", name])).toBe("0");
    expect(await inspect(name, "{{.RestartCount}} {{.State.Status}}")).toBe("0 exited");
  });

  test("while it waits for its next start it is restarting, and refuses what needs it to run", async () => {
    // The pauses double, so that the fifth is long enough to look at.
    const name = await run("always", "exit 1");
    await until(name, "{{.RestartCount}}", /^[6-9]$/);
    const state = "{{.State.Status}} {{.State.Running}} {{.State.Restarting}} {{.State.Pid}}";
    await until(name, state, /^restarting true true 0$/);
    const id = await inspect(name, "{{.Id}}");
    const listed = ["ps", "-f", `name=${name}`, "--format", "{{.Status}} {{.State}}"];
    expect(await target.ok(listed)).toMatch(/^Restarting \(1\) .* ago restarting$/);
    const restarting = `Container ${id} is restarting, wait until the container is running`;
    const refusals: readonly (readonly [readonly string[], string])[] = [
      [["exec", name, "true"], restarting],
      [["pause", name], restarting],
      [["top", name], restarting],
      [
        ["rm", name],
        `cannot remove container "${name}": container is restarting: stop the container before removing or force remove`,
      ],
      [["attach", name], "You cannot attach to a restarting container, wait until it is running"],
    ];
    // At once, since the pause ends.
    const refused = await Promise.all(refusals.map(([argv]) => target.docker(argv)));
    expect(refused.map(({ status, stderr }) => [status, stderr])).toEqual(
      refusals.map(([, why]) => [1, expect.stringContaining(why)]),
    );
    expect(await target.ok(["start", name])).toBe(name);
    expect(await target.ok(["stop", name])).toBe(name);
    expect(await inspect(name, state)).toBe("exited false false 0");
    expect(await target.ok(["start", name])).toBe(name);
    // It counts anew.
    await until(name, "{{.RestartCount}}", /^[1-5]$/);
    await target.ok(["rm", "-f", name]);
  });

  test.each(["always", "unless-stopped"])(
    "%s does not start what its user stopped",
    async (policy) => {
      const name = await run(policy, "trap 'exit 0' TERM; while :; do sleep 0.01; done");
      expect(await target.ok(["stop", name])).toBe(name);
      expect(await inspect(name, "{{.State.Status}} {{.RestartCount}}")).toBe("exited 0");
      await target.ok(["start", name]);
      await target.ok(["kill", name]);
      expect(await inspect(name, "{{.State.Status}} {{.RestartCount}}")).toBe("exited 0");
    },
  );

  test("one whose program dies is started again; wait waits until it stops for good", async () => {
    const name = await run("always", "sleep 1000");
    const waiting = target.docker(["wait", name]);
    const pid = await inspect(name, "{{.State.Pid}}");
    process.kill(Number(pid), "SIGKILL");
    await until(name, "{{.RestartCount}} {{.State.Status}}", /^1 running$/);
    expect(await inspect(name, "{{.State.Pid}}")).not.toBe(pid);
    await target.ok(["stop", "-t", "0", name]);
    expect(await waiting).toMatchObject({ status: 0, stdout: "137\n" });
  });

  test.each([
    [
      ["--rm", "--restart", "always"],
      "conflicting options: cannot specify both --restart and --rm",
    ],
    [["--restart", "always:3"], "maximum retry count can only be used with 'on-failure'"],
    [["--restart", "sometimes"], "invalid restart policy: unknown policy 'sometimes'"],
    [["--restart", "on-failure:-1"], "maximum retry count cannot be negative"],
  ])("%j is refused", async (flags, why) => {
    const { status, stderr } = await target.docker(["run", ...flags, image, "true"]);
    expect([status, stderr]).toEqual([125, expect.stringContaining(why)]);
  });
});
