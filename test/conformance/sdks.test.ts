/**
 * Clients that others wrote, as Debian has them, from a tree that thimble's resolver fetched: they
 * run in containers of the engine, with its socket mounted. That of Python was shown to pass on dockerd 28.5.2.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync } from "node:fs";
import { join } from "node:path";
import { debianPrograms } from "../support/debian-programs.ts";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);
const scripts = join(import.meta.dir, "testdata/clients");
/** The place of the engine's socket in the containers. */
const socket = "/run/docker.sock";

here("clients of Debian [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
    cpSync(scripts, target.shared, { recursive: true });
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  /** The arguments of `docker run` for programs of Debian, that see the shared directory. */
  async function within(suite: string, packages: readonly string[]): Promise<string[]> {
    const tag = `thimble.example/clients:${suite}`;
    const known = await target.docker(["image", "inspect", tag]);
    if (known.status !== 0) {
      const tree = await debianPrograms(suite, packages);
      const tar = join(target.directory, "clients.tar");
      const made = Bun.spawnSync(["tar", "-C", tree, "-cf", tar, "."]);
      if (!made.success) throw new Error(made.stderr.toString());
      await target.ok(["import", tar, tag]);
    }
    const mounts = [`${target.socket}:${socket}`, `${target.shared}:${target.shared}`];
    return [
      ...["run", "--rm", "-e", `DOCKER_HOST=unix://${socket}`, "-e", `IMAGE=${image}`],
      // Compose 1 without the docker CLI; what Python compiles is kept, as a package would do.
      ...["-e", "COMPOSE_INTERACTIVE_NO_CLI=1", "-e", `PYTHONPYCACHEPREFIX=${target.shared}/pyc`],
      ...["-w", target.shared, ...mounts.flatMap((mount) => ["-v", mount])],
      tag,
    ];
  }

  test("python3-docker: a script that calls every method", async () => {
    const run = await within("bookworm", ["python3-docker", "docker-compose"]);
    const script = join(target.shared, "docker_sdk.py");
    const { status, stdout, stderr } = await target.docker([
      ...run,
      ...["python3", script, image, target.shared],
    ]);
    expect(`${stdout}${stderr}`).toMatch(/^called \d+ of \d+ methods\n$/);
    expect(status).toBe(0);
  });

  for (const [version, suite, packages, program] of [
    ["1.29", "bookworm", ["python3-docker", "docker-compose"], "docker-compose"],
    ["2", "sid", ["docker-compose"], "/usr/libexec/docker/cli-plugins/docker-compose"],
  ] as const)
    test(`docker compose ${version}: a project of five services`, async () => {
      const run = await within(suite, packages);
      const project = `${target.name()}-compose`;
      const compose = async (...args: string[]) =>
        await target.ok([...run, program, "-p", project, "-f", "compose.yaml", ...args]);
      const label = ["--filter", `label=com.docker.compose.project=${project}`];
      const states = async () => {
        const lines = await target.ok(["ps", "-a", ...label, "--format", "{{.Names}} {{.State}}"]);
        const names = lines.replaceAll(`${project}-`, "").replaceAll(`${project}_`, "");
        return names.replaceAll("_", "-").split("\n").toSorted();
      };
      const up = ["cache-1 running", "db-1 running", "migrate-1 exited", "web-1 running"];

      await compose("up", "-d");
      expect(await states()).toEqual([...up, "worker-1 running"]);
      expect(await compose("exec", "-T", "db", "cat", "/data/schema")).toBe("migrated");
      const environment = ["exec", "-T", "web", "sh", "-c", "echo $FROM_FILE $MODE"];
      expect(await compose(...environment)).toBe("file serving");
      expect(await compose("logs", "worker")).toContain("file works");
      expect(await compose("ps")).toMatch(/httpd -f -p 80 .*127.0.0.1:\d+->80/);
      const served = await fetch(`http://${await compose("port", "web", "80")}/schema`);
      expect(await served.text()).toBe("migrated\n");
      expect(await compose("exec", "-T", "web", "nslookup", "memory")).toContain("memory");

      await compose("restart", "worker");
      expect(await states()).toEqual([...up, "worker-1 running"]);
      await compose("up", "-d", "--scale", "worker=3");
      const workers = [1, 2, 3].map((number) => `worker-${number} running`);
      expect(await states()).toEqual([...up, ...workers]);
      await compose("stop", "cache");
      expect(await states()).toContain("cache-1 exited");
      await compose("start", "cache");
      await compose("down", "-v");
      expect(await target.ok(["ps", "-aq", ...label])).toBe("");
      expect(await target.ok(["volume", "ls", "-q", ...label])).toBe("");
      expect(await target.ok(["network", "ls", "-q", ...label])).toBe("");
    });
});
