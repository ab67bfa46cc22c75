/**
 * What goes wrong, by the real docker CLI: its exit status, its words, and that nothing
 * is left. Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
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

here("errors of the docker CLI [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  test.each([
    [["nope"], 127, 'exec: "nope": executable file not found in $PATH'],
    [["/no/such"], 127, 'exec: "/no/such": stat /no/such: no such file or directory'],
    [["/etc/plain"], 126, 'exec: "/etc/plain": permission denied'],
    [["/etc"], 126, 'exec: "/etc": is a directory'],
  ])("run %p ends with %d", async (command, status, words) => {
    const name = target.name();
    const ran = await target.docker(["run", "--name", name, image, ...command]);
    expect(ran).toMatchObject({ status, stdout: "" });
    expect(ran.stderr).toContain(words);
    const state = "{{.State.Status}} {{.State.Running}} {{.State.ExitCode}}";
    expect(await target.ok(["inspect", "-f", state, name])).toBe(`created false ${status}`);
    const gone = target.name();
    await target.docker(["run", "--rm", "--name", gone, image, ...command]);
    expect((await target.docker(["inspect", gone])).status).toBe(1);
  });

  test.each([
    ["kill -KILL $$", 137],
    ["kill -TERM $$", 143],
    ["exit 255", 255],
  ])("run sh -c '%s' ends with %d", async (script, status) => {
    const wrapped = ["sh", "-c", `sh -c '${script}'; exit $?`];
    expect((await target.docker(["run", "--rm", image, ...wrapped])).status).toBe(status);
  });

  test.each([
    [["--memory", "1000"], "Minimum memory limit allowed is 6MB"],
    [["--cpus", "1000"], "range of CPUs is from 0.01 to"],
    [["--cap-add", "NOPE"], "CAP_NOPE"],
    [["-v", "relative/x:/y:ro:ro"], "invalid"],
    [
      ["--mount", "type=bind,src=/no/such/source,dst=/x"],
      "bind source path does not exist: /no/such/source",
    ],
    [
      ["-w", "relative"],
      "the working directory 'relative' is invalid, it needs to be an absolute path",
    ],
    [["-u", "nobody-here"], "unable to find user nobody-here"],
    [["--network", "no-such-network"], "no-such-network"],
  ])("run %p ends with 125 and leaves nothing", async (flags, words) => {
    const name = target.name();
    const ran = await target.docker(["run", "--rm", "--name", name, ...flags, image, "true"]);
    expect(ran.stderr.toLowerCase()).toContain(words.toLowerCase());
    expect(ran.status).toBe(125);
    expect((await target.docker(["inspect", name])).status).toBe(1);
  });

  test("a taken name is told with its holder", async () => {
    const name = target.name();
    const id = await target.ok(["create", "--name", name, image]);
    const second = await target.docker(["run", "--name", name, image, "true"]);
    expect(second.status).toBe(125);
    expect(second.stderr).toContain(
      `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
  });

  test("an image that is not there is asked for and not found", async () => {
    const ran = await target.docker(["run", "--rm", "nope.example/nope:1"]);
    expect(ran.status).toBe(125);
    expect(ran.stderr).toStartWith("Unable to find image 'nope.example/nope:1' locally\n");
    const created = await target.docker(["create", "--pull", "never", "nope.example/nope:1"]);
    expect(created.stderr).toContain(
      "Error response from daemon: No such image: nope.example/nope:1",
    );
  });

  test("invalid names", async () => {
    const ran = await target.docker(["run", "--name", "a b", image]);
    expect(ran).toMatchObject({ status: 125 });
    expect(ran.stderr).toContain(
      "Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed",
    );
    const image2 = await target.docker(["tag", image, "UPPER"]);
    expect(image2.stderr).toContain("repository name");
  });

  test("missing things are told in the same words everywhere", async () => {
    for (const verb of [
      "start",
      "stop",
      "kill",
      "restart",
      "rm",
      "logs",
      "wait",
      "attach",
      "top",
      "export",
    ]) {
      const { status, stderr } = await target.docker([verb, "no-such"]);
      expect(stderr).toContain("No such container: no-such");
      expect(status).toBe(1);
    }
    const exec = await target.docker(["exec", "no-such", "true"]);
    expect(exec.stderr).toContain("No such container: no-such");
    expect(await target.docker(["inspect", "no-such"])).toEqual({
      status: 1,
      stdout: "[]\n",
      stderr: "Error: No such object: no-such\n",
    });
    expect((await target.docker(["image", "inspect", "no-such"])).stderr).toContain(
      "No such image: no-such:latest",
    );
    expect((await target.docker(["rmi", "no-such"])).stderr).toContain(
      "No such image: no-such:latest",
    );
    expect((await target.docker(["save", "no-such"])).stderr).toContain("No such image: no-such");
    expect((await target.docker(["network", "inspect", "no-such"])).stderr).toContain(
      "network no-such not found",
    );
  });
});
