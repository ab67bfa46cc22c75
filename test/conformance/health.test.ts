/**
 * Health checks, by the real docker CLI.
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

here("health checks [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });
  const run = async (check: string, ...flags: string[]) => {
    const name = target.name();
    const own = ["--name", name, "--health-cmd", check, "--health-interval", "100ms", ...flags];
    await target.ok(["run", "-d", ...own, image, "sleep", "1000"]);
    return name;
  };
  const inspect = (name: string, template: string) => target.ok(["inspect", "-f", template, name]);
  const health = async (name: string) => JSON.parse(await inspect(name, "{{json .State.Health}}"));
  const until = async (name: string, wanted: string) => {
    for (;;) {
      const found = await health(name);
      if (found.Status === wanted) return found;
      await Bun.sleep(20);
    }
  };
  const listed = async (name: string) =>
    await target.ok(["ps", "-f", `name=${name}`, "--format", "{{.Status}}"]);

  test("one that succeeds is healthy, and says so in lists and events", async () => {
    const name = await run("echo fine; test -e /there", "--health-retries", "2");
    expect(await until(name, "unhealthy")).toMatchObject({ Status: "unhealthy" });
    expect(await listed(name)).toMatch(/^Up .* \(unhealthy\)$/);
    await target.ok(["exec", name, "touch", "/there"]);
    const found = await until(name, "healthy");
    expect(found.FailingStreak).toBe(0);
    const last = found.Log.at(-1);
    expect(last).toMatchObject({ ExitCode: 0, Output: "fine\n" });
    expect(Date.parse(last.End)).toBeGreaterThanOrEqual(Date.parse(last.Start));
    expect(await listed(name)).toMatch(/^Up .* \(healthy\)$/);
    const filtered = ["ps", "-q", "--no-trunc", "-f", "health=healthy", "-f", `name=${name}`];
    expect(await target.ok(filtered)).toBe(await inspect(name, "{{.Id}}"));
    const end = String(Date.now() / 1000 + 1);
    const events = ["events", "--since", "1h", "--until", end, "-f", `container=${name}`];
    const shown = await target.ok([
      ...events,
      "-f",
      "event=health_status",
      "--format",
      "{{.Action}}",
    ]);
    expect(shown.split("\n")).toEqual(["health_status: unhealthy", "health_status: healthy"]);
  });

  test("in the start period failures do not count, and probes come at its interval", async () => {
    const flags = ["--health-start-period", "1h", "--health-start-interval", "50ms"];
    const name = await run("exit 1", ...flags, "--health-retries", "1", "--health-interval", "1h");
    for (;;) {
      const { Status, FailingStreak, Log } = await health(name);
      expect([Status, FailingStreak]).toEqual(["starting", 0]);
      if (Log.length === 5) break;
      await Bun.sleep(20);
    }
    expect(await listed(name)).toMatch(/^Up .* \(health: starting\)$/);
  });

  test("a probe that takes too long is killed and has failed", async () => {
    const name = await run(
      "echo begun; sleep 1000",
      "--health-timeout",
      "200ms",
      "--health-retries",
      "1",
    );
    const { Log } = await until(name, "unhealthy");
    expect(Log[0]).toMatchObject({
      ExitCode: -1,
      Output: expect.stringContaining("Health check exceeded timeout (200ms)"),
    });
    const tops = await target.ok(["top", name]);
    expect(tops.split("\n").filter((line) => line.includes("echo begun")).length).toBeLessThan(2);
  });

  test("a probe that leaves a child with its output has ended, and holds up no stop", async () => {
    // A probe that waited for the child would have failed at its timeout.
    const name = await run("sleep 1000 & echo left", "--health-timeout", "60s");
    for (;;) {
      const [first] = (await health(name)).Log;
      if (!first) await Bun.sleep(20);
      else {
        expect(first).toMatchObject({ ExitCode: 0, Output: "left\n" });
        break;
      }
    }
    expect(await target.ok(["stop", "-t", "0", name])).toBe(name);
  });

  test("the image's check counts, the container's flags change it, and it can be turned off", async () => {
    const name = target.name();
    const base = target.name();
    await target.ok(["create", "--name", name, image, "sleep", "1000"]);
    const check = 'HEALTHCHECK --interval=100ms --retries=7 CMD ["true"]';
    await target.ok(["commit", "--change", check, name, base]);
    const [plain, changed, off] = [target.name(), target.name(), target.name()];
    await target.ok(["run", "-d", "--name", plain, base]);
    await until(plain, "healthy");
    await target.ok(["run", "-d", "--name", changed, "--health-retries", "2", base]);
    expect(JSON.parse(await inspect(changed, "{{json .Config.Healthcheck}}"))).toEqual({
      Test: ["CMD", "true"],
      Interval: 100_000_000,
      Retries: 2,
    });
    await target.ok(["run", "-d", "--name", off, "--no-healthcheck", base]);
    expect(await inspect(off, "{{json .State.Health}}")).toBe("null");
    expect(await listed(off)).not.toContain("health");
  });

  test("one that is stopped is probed no more, and its next start begins anew", async () => {
    const name = await run("true");
    await until(name, "healthy");
    await target.ok(["stop", "-t", "0", name]);
    const { Log } = await health(name);
    await Bun.sleep(300);
    expect((await health(name)).Log).toEqual(Log);
    await target.ok(["start", name]);
    await until(name, "healthy");
  });

  test.each([
    [["--health-interval", "1us"], "Interval in Healthcheck cannot be less than 1ms"],
    [["--health-timeout", "1us"], "Timeout in Healthcheck cannot be less than 1ms"],
    [["--health-start-period", "1us"], "StartPeriod in Healthcheck cannot be less than 1ms"],
  ])("%j is refused", async (flags, why) => {
    const argv = ["create", "--health-cmd", "true", ...flags, image, "true"];
    const { status, stderr } = await target.docker(argv);
    expect([status, stderr]).toEqual([1, expect.stringContaining(why)]);
  });
});
