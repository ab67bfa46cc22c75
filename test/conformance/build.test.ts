/**
 * docker build without BuildKit, by the real docker CLI.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);
const env = { DOCKER_BUILDKIT: "0" };

here("docker build [needs docker CLI]", () => {
  let target: DockerTarget;
  let directory: string;
  beforeAll(async () => {
    target = await openDockerTarget();
    directory = join(target.directory, "context");
    mkdirSync(join(directory, "src"), { recursive: true });
    for (const name of ["a.txt", "src/b.txt", "skip.log"]) {
      writeFileSync(join(directory, name), `${name}\n`);
    }
    writeFileSync(join(directory, ".dockerignore"), "*.log\n");
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  /** Builds a Dockerfile over the test's image; the context is the test's directory. */
  async function build(lines: readonly string[], args: readonly string[] = []) {
    const file = join(target.directory, "Dockerfile");
    writeFileSync(file, [`FROM ${image}`, ...lines, ""].join("\n"));
    return await target.docker(["build", "-f", file, ...args, directory], { env });
  }

  async function run(tag: string, ...argv: readonly string[]): Promise<string> {
    return await target.ok(["run", "--rm", tag, ...argv]);
  }

  test("files, commands and settings become an image with its names", async () => {
    const [tag, other] = [target.name(), target.name()];
    const lines = [
      ...["ARG WHO=nobody", "ENV GREETING=hello", "WORKDIR /srv/app"],
      ...["COPY a.txt src ./", "COPY . /all", "RUN echo $GREETING $WHO > /said"],
      ...["LABEL one=1", "EXPOSE 80", 'ENTRYPOINT ["cat"]', 'CMD ["/said"]'],
    ];
    const args = ["-t", tag, "-t", other, "--build-arg", "WHO=you", "--label", "two=2"];
    const { status, stdout } = await build(lines, args);
    expect({ status, stdout }).toMatchObject({ status: 0 });
    expect(stdout).toMatch(/^Step 7\/\d+ : RUN echo \$GREETING \$WHO > \/said$/m);
    const id = await target.ok(["image", "inspect", "-f", "{{.Id}}", tag]);
    const short = id.replace("sha256:", "").slice(0, 12);
    expect(stdout.trimEnd().split("\n").slice(-3)).toEqual([
      `Successfully built ${short}`,
      `Successfully tagged ${tag}:latest`,
      `Successfully tagged ${other}:latest`,
    ]);
    expect(await run(tag)).toBe("hello you");
    const list = await target.ok(["run", "--rm", "--entrypoint", "ls", tag, "/srv/app", "/all"]);
    expect(list.split("\n")).toEqual([
      ...["/all:", "a.txt", "src", "", "/srv/app:", "a.txt", "b.txt"],
    ]);
    const format = "{{json .Config.Labels}} {{json .Config.ExposedPorts}} {{.Config.WorkingDir}}";
    expect(await target.ok(["image", "inspect", "-f", format, tag])).toBe(
      '{"one":"1","two":"2"} {"80/tcp":{}} /srv/app',
    );
    expect((await build(lines, args)).stdout).toContain("Using cache");
    expect((await build(lines, ["--no-cache", ...args])).stdout).not.toContain("Using cache");
  });

  test("a failing command ends the build with its status, and output of both streams is shown", async () => {
    const { status, stdout, stderr } = await build(["RUN echo out; echo err >&2; exit 3"]);
    expect(status).toBe(3);
    expect(stdout).toContain("out\n");
    expect(stdout + stderr).toContain("err\n");
    expect(stderr).toContain(
      "The command '/bin/sh -c echo out; echo err >&2; exit 3' returned a non-zero code: 3",
    );
  });

  test("mistakes are told before anything runs", async () => {
    const unknown = await build(["FOO bar"]);
    expect(unknown.status).toBe(1);
    expect(unknown.stderr).toContain("unknown instruction: FOO");
    const missing = await build(["COPY nothing /"]);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/nothing.*(not found|does not exist)/);
    const stage = await build(["RUN true"], ["--target", "nope"]);
    expect(stage.stderr).toContain('target stage "nope" could not be found');
  });

  test("-q prints the id alone; a Dockerfile alone and a tar come on standard input", async () => {
    const { stdout } = await build(["RUN echo 1 > /one"], ["-q"]);
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    const tag = target.name();
    const text = `FROM ${image}\nRUN echo stdin > /from\n`;
    await target.ok(["build", "-t", tag, "-"], { env, input: text });
    expect(await run(tag, "cat", "/from")).toBe("stdin");
    writeFileSync(join(directory, "Dockerfile"), `FROM ${image}\nCOPY a.txt /b\n`);
    const tar = Bun.spawnSync(["tar", "-C", directory, "-c", "."]);
    await target.ok(["build", "-t", tag, "-"], { env, input: tar.stdout });
    expect(await run(tag, "cat", "/b")).toBe("a.txt");
  });

  test("stages: what is copied from one, and the limits and hosts of steps", async () => {
    const tag = target.name();
    const lines = [
      "RUN grep -q 'extra$' /etc/hosts && echo hosts > /made",
      "RUN [ $(ulimit -n) = 99 ] && [ $(ip -o link | wc -l) = 1 ] && echo limits >> /made",
      `FROM ${image}`,
      "USER 1000",
      "COPY --from=0 --chown=1000 /made /home/made",
      "RUN id -u && cat /home/made",
    ];
    const args = ["-t", tag, "--add-host", "extra:10.1.2.3", "--ulimit", "nofile=99:99"];
    const { status, stdout } = await build(lines, [...args, "--network", "none"]);
    expect({ status, stdout }).toMatchObject({ status: 0 });
    expect(stdout).toContain("1000\nhosts\nlimits\n");
    expect(await run(tag, "cat", "/home/made")).toBe("hosts\nlimits");
  });

  test("builder prune and system df know the cache", async () => {
    expect(await target.ok(["system", "df", "--format", "{{.Type}}"])).toContain("Build Cache");
    // The reference is not ours to prune.
    if (target.ours) expect(await target.ok(["builder", "prune", "-af"])).toContain("Total");
  });
});
