/**
 * `thimble compose` makes, changes and removes projects as docker compose does. The words and exit codes
 * here were seen of docker compose 2.40.3 before dockerd 28.5.2.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";
import { inProcess } from "../support/in-process-cli.ts";

const dockerCompose = dockerPlugin("docker-compose");
const sleeps = "command: [sleep, '1000'], stop_signal: SIGKILL";

describe.skipIf(!dockerPath || !isRoot)("thimble compose up [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  /** A project of this test alone, which is taken down at its end. */
  function project() {
    const name = target.name();
    const file = join(target.directory, `${name}.yaml`);
    const flags = ["-p", name, "-f", file];
    const compose = (...args: string[]) => inProcess(target, ["compose", ...flags, ...args]);
    const label = ["--filter", `label=com.docker.compose.project=${name}`];
    return {
      ...{ name, file, flags, compose },
      write: (text: string) => writeFileSync(file, text.replaceAll("IMAGE", image)),
      /** Names without the project's, with ids. */
      async containers() {
        const format = "{{.Names}} {{.State}} {{.ID}}";
        const lines = await target.ok(["ps", "-a", "--no-trunc", ...label, "--format", format]);
        return lines.replaceAll(`${name}-`, "").split("\n").filter(Boolean).toSorted();
      },
      async states() {
        return (await this.containers()).map((line) => line.replace(/ \S+$/, ""));
      },
      [Symbol.asyncDispose]: async () => {
        await compose("down", "-v", "-t", "0", "--remove-orphans");
      },
    };
  }

  test.skipIf(!dockerCompose)(
    "either tool keeps what the other made [needs docker-compose]",
    async () => {
      await using shop = project();
      const text = (extra: string) => `services:
  web: {image: "IMAGE", ${sleeps}, depends_on: [db], ports: ["127.0.0.1::80"]${extra}}
  db: {image: "IMAGE", ${sleeps}, volumes: ["data:/data", /anon], environment: {A: b}}
  side: {image: "IMAGE", ${sleeps}, network_mode: "service:db"}
volumes: {data: {}}
`;
      const reference = async (...args: string[]) => {
        const words = [dockerCompose, ...shop.flags, ...args].map((word) => `'${word}'`).join(" ");
        expect(await target.shell(words, target.directory)).toMatchObject({ status: 0 });
      };
      shop.write(text(""));
      await reference("up", "-d");
      const made = await shop.containers();
      expect(await shop.states()).toEqual(["db-1 running", "side-1 running", "web-1 running"]);
      const again = await shop.compose("up", "-d");
      expect(again.stderr.split("\n").filter(Boolean).toSorted()).toEqual(
        ["db", "side", "web"].map((one) => ` Container ${shop.name}-${one}-1  Running`),
      );
      expect(await shop.containers()).toEqual(made);

      shop.write(text(", init: true"));
      const { stdout } = await shop.compose("plan");
      expect(stdout).toContain("recreate   its configuration has changed\n");
      expect(stdout).toEndWith("\n1 to recreate, 4 to keep\n");
      expect((await shop.compose("up", "-d")).status).toBe(0);
      const changed = await shop.containers();
      expect(changed.slice(0, 2)).toEqual(made.slice(0, 2));
      expect(changed[2]).not.toBe(made[2]);
      await reference("up", "-d");
      expect(await shop.containers()).toEqual(changed);
      await shop.compose("down", "-v");
      expect(await shop.containers()).toEqual([]);
      await shop.compose("up", "-d");
      await reference("up", "-d", "--scale", "web=2");
      await reference("down", "-v", "-t", "0");
      expect(await shop.containers()).toEqual([]);
    },
  );

  test("services scale, stop, start, freeze and go", async () => {
    await using shop = project();
    shop.write(
      `services: {a: {image: "IMAGE", ${sleeps}}, b: {image: "IMAGE", ${sleeps}, depends_on: [a]}}`,
    );
    expect((await shop.compose("start")).stderr).toBe('service "a" has no container to start\n');
    expect(await shop.compose("up", "-d", "--scale", "b=3")).toMatchObject({ status: 0 });
    await shop.compose("scale", "b=2");
    expect(await shop.states()).toEqual(["a-1 running", "b-1 running", "b-2 running"]);
    const words = async (...args: string[]) => {
      const { status, stderr } = await shop.compose(...args);
      expect(status).toBe(0);
      return stderr.replaceAll(`Container ${shop.name}-`, "").trimEnd().split("\n").toSorted();
    };
    expect(await words("pause", "a")).toEqual([" a-1  Paused"]);
    expect(await words("unpause", "a")).toEqual([" a-1  Unpaused"]);
    expect(await words("kill", "b")).toEqual([
      ...[" b-1  Killed", " b-1  Killing", " b-2  Killed", " b-2  Killing"],
    ]);
    expect(await words("start")).toContain(" b-1  Started");
    expect(await words("restart", "b")).toContain(" b-2  Restarting");
    expect(await words("stop", "a")).toEqual([" a-1  Stopped", " a-1  Stopping"]);
    expect((await shop.compose("rm", "-f")).stdout).toBe(`Going to remove ${shop.name}-a-1`);
    expect(await shop.states()).toEqual(["b-1 running", "b-2 running"]);
    expect((await shop.compose("stop", "x")).stderr).toBe("no such service: x\n");
    expect((await shop.compose("up", "-d", "x")).stderr).toBe("no such service: x\n");
    const rehearsed = await shop.compose("down", "--dry-run");
    expect(rehearsed.stdout).toContain(`would remove container ${shop.name}-b-2\n`);
    expect(await shop.states()).toHaveLength(2);
    shop.write(`services: {a: {image: "IMAGE", ${sleeps}}}`);
    expect((await shop.compose("kill")).stderr).toBe("no container to kill");
    await shop.compose("kill", "--remove-orphans");
    expect(await shop.states()).toEqual(["b-1 exited", "b-2 exited"]);
  });

  test("conditions hold, and a one-shot that ended well is not run again", async () => {
    await using shop = project();
    const text = (status: number) => `services:
  once: {image: "IMAGE", command: [sh, -c, "date +%N >> /log/runs; echo said; exit ${status}"], volumes: ["log:/log"]}
  app:
    image: "IMAGE"
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    healthcheck: {test: [CMD, test, -f, /ready], interval: 100ms, retries: 50}
    post_start: [{command: [touch, /ready], user: root}]
    depends_on: {once: {condition: service_completed_successfully}}
  last: {image: "IMAGE", ${sleeps}, depends_on: {app: {condition: service_healthy}}, volumes: ["log:/log"]}
volumes: {log: {}}
`;
    shop.write(text(0));
    const runs = async () =>
      await target.ok(["exec", `${shop.name}-last-1`, "wc", "-l", "/log/runs"]);
    expect(await shop.compose("up", "-d", "--wait")).toMatchObject({ status: 0 });
    expect(await shop.states()).toEqual(["app-1 running", "last-1 running", "once-1 exited"]);
    expect(await runs()).toStartWith("1 ");
    await shop.compose("up", "-d", "--wait");
    expect(await runs()).toStartWith("1 ");
    await shop.compose("down", "-t", "0");
    shop.write(text(3));
    const { status, stderr } = await shop.compose("up", "-d");
    expect(status).toBe(1);
    expect(stderr).toEndWith(
      `service "once" didn't complete successfully: exit 3\nits last lines:\nsaid\n`,
    );
    expect(await shop.states()).toContain("app-1 created");
  });

  test("secrets and configs have their owner and mode", async () => {
    await using shop = project();
    writeFileSync(join(target.directory, "secret.txt"), "from a file");
    shop.write(`services:
  app:
    image: "IMAGE"
    command: [sleep, "1000"]
    stop_signal: SIGKILL
    secrets: [{source: a, uid: "5", gid: "6", mode: 0o440}]
    configs: [{source: b, target: /etc/b, mode: 0o400}]
secrets: {a: {file: ./secret.txt}}
configs: {b: {content: "text"}}
`);
    expect(await shop.compose("up", "-d")).toMatchObject({ status: 0 });
    const look = "stat -c '%n %u:%g %a' /run/secrets/a /etc/b; cat /run/secrets/a /etc/b";
    expect(await target.ok(["exec", `${shop.name}-app-1`, "sh", "-c", look])).toBe(
      "/run/secrets/a 5:6 440\n/etc/b 0:0 400\nfrom a filetext",
    );
  });
});
