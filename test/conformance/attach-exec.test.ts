/**
 * exec and attach with pipes and terminals, by the real docker CLI. Shown to pass on
 * dockerd 28.5.2 with docker CLI 28.2.2.
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

here("exec and attach [needs docker CLI]", () => {
  let target: DockerTarget;
  let name: string;
  beforeAll(async () => {
    target = await openDockerTarget();
    name = target.name();
    await target.ok(["run", "-d", "--name", name, "-e", "FROM=run", image, "sleep", "1000"]);
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });
  const exec = (...args: string[]) => target.docker(["exec", ...args]);

  test("exec passes output, errors, input and status", async () => {
    expect(await exec(name, "sh", "-c", "echo o; echo e >&2; exit 9")).toEqual({
      status: 9,
      stdout: "o\n",
      stderr: "e\n",
    });
    const input = "y".repeat(300_000);
    expect((await target.docker(["exec", "-i", name, "cat"], { input })).stdout).toBe(input);
    expect((await exec(name, "sh", "-c", "kill -9 $$")).status).toBe(137);
  });

  test("exec has the container's environment and its own", async () => {
    const { stdout } = await exec(
      "-e",
      "OWN=1",
      "-w",
      "/tmp",
      "-u",
      "user",
      name,
      "sh",
      "-c",
      "echo $FROM $OWN $PWD; id -un",
    );
    expect(stdout).toBe("run 1 /tmp\nuser\n");
  });

  test("exec -it has a terminal", async () => {
    const session = target.terminal(["exec", "-it", name, "sh"]);
    await session.until("# ");
    session.send("tty\nexit 4\n");
    const { status, stdout } = await session.ended;
    expect(stdout).toContain("/dev/pts/");
    expect(status).toBe(4);
  });

  test("exec -d returns at once", async () => {
    expect((await exec("-d", name, "sh", "-c", "sleep 0.1; touch /done")).stdout).toBe("");
    while ((await exec(name, "test", "-e", "/done")).status !== 0) await Bun.sleep(20);
  });

  test("exec of a program that cannot run", async () => {
    const missing = await exec(name, "nope");
    expect(missing.status).toBe(127);
    expect(missing.stdout + missing.stderr).toContain(
      'exec: "nope": executable file not found in $PATH',
    );
    const denied = await exec(name, "/etc/plain");
    expect(denied.status).toBe(126);
    expect(denied.stdout + denied.stderr).toContain('exec: "/etc/plain": permission denied');
  });

  test.each([
    [127, 'exec: "": executable file not found in $PATH', [], [""]],
    [127, "stat /etc/plain/x: not a directory", [], ["/etc/plain/x"]],
    [128, "exec failed: Cwd must be an absolute path", ["-w", "tmp"], ["true"]],
    [127, "no such file or directory", ["-w", "/nope"], ["true"]],
    [127, "not a directory", ["-w", "/etc/plain"], ["true"]],
  ])("exec that fails with %i and %s", async (status, words, flags, command) => {
    const ended = await exec(...flags, name, ...command);
    expect({ ...ended, stdout: "" }).toEqual({ status, stdout: "", stderr: "" });
    expect(ended.stdout).toStartWith("OCI runtime exec failed: exec failed: ");
    expect(ended.stdout).toContain(words);
  });

  test.each([
    ["nobodyhere", "unable to find user nobodyhere: no matching entries in passwd file"],
    ["user:none", "unable to find group none: no matching entries in group file"],
  ])("exec as %s is refused before it starts", async (user, words) => {
    expect(await exec("-u", user, name, "true")).toEqual({
      status: 1,
      stdout: "",
      stderr: `Error response from daemon: ${words}\n`,
    });
  });

  test("a program without a name", async () => {
    const { status, stderr } = await target.docker(["run", "--rm", image, ""]);
    expect(status).toBe(127);
    expect(stderr).toContain('exec: "": executable file not found in $PATH');
  });

  test("exec in a container that does not run", async () => {
    const stopped = target.name();
    const id = await target.ok(["create", "--name", stopped, image]);
    expect(await exec(stopped, "true")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`container ${id} is not running`),
    });
  });

  test("attach sees live output and passes input", async () => {
    const other = target.name();
    await target.ok([
      "run",
      "-di",
      "--name",
      other,
      image,
      "sh",
      "-c",
      "read a; echo got $a; exit 8",
    ]);
    const session = target.session(["attach", other]);
    session.send("word\n");
    expect(await session.ended).toMatchObject({ status: 8, stdout: "got word\n" });
    const ended = await target.docker(["attach", other]);
    expect(ended.stderr).toContain("cannot attach to a stopped container");
  });

  test("a websocket attaches: the log, then output, and input until its close", async () => {
    const other = target.name();
    const script = "echo first; cat; echo last; exit 6";
    await target.ok(["create", "-i", "--name", other, image, "sh", "-c", script]);
    await target.ok(["start", other]);
    while ((await target.ok(["logs", other])) !== "first") await Bun.sleep(20);
    const path = `/v1.51/containers/${other}/attach/ws?logs=1&stream=1&stdin=1&stdout=1`;
    const socket = new WebSocket(`ws+unix://${target.socket}:${path}`);
    socket.binaryType = "arraybuffer";
    let received = "";
    socket.onopen = () => socket.send("second\n");
    socket.onmessage = ({ data }) => {
      received += Buffer.from(data).toString();
      if (received.endsWith("second\n")) socket.close(1000);
    };
    expect(await target.ok(["wait", other])).toBe("6");
    expect(received).toBe("first\nsecond\n");
    expect(await target.ok(["logs", other])).toBe("first\nsecond\nlast");
  });

  test("the detach keys leave a terminal running", async () => {
    const other = target.name();
    const session = target.terminal(["run", "-it", "--name", other, image, "sh"]);
    await session.until("# ");
    session.send("\x10\x11");
    expect((await session.ended).status).toBe(0);
    expect(await target.ok(["inspect", "-f", "{{.State.Running}}", other])).toBe("true");
    const again = target.terminal(["attach", "--detach-keys", "ctrl-a,d", other]);
    again.send("echo back\n");
    await again.until("\nback");
    again.send("\x01d");
    await again.ended;
    expect(await target.ok(["inspect", "-f", "{{.State.Running}}", other])).toBe("true");
  });

  test("what is wrong with a request is told in this order and in these words", async () => {
    const created = target.name();
    await target.ok(["create", "--name", created, image, "true"]);
    const live = target.name();
    await target.ok(["run", "-d", "--name", live, image, "sleep", "1000"]);
    const raw = "application/vnd.docker.raw-stream";
    const call = async (path: string, body?: string) => {
      const headers = body === undefined ? {} : { "Content-Type": "application/json" };
      const init = { method: "POST", unix: target.socket, headers, ...(body && { body }) };
      const answer = await fetch(`http://d/v1.51/${path}`, init);
      return [answer.status, answer.headers.get("Content-Type"), (await answer.text()).trim()];
    };
    const json = (message: string) => ["application/json", JSON.stringify({ message })];
    const size = (value: string, why: string) =>
      json(`invalid resize height ${JSON.stringify(value)}: ${why}`);
    const kill = (ref: string, why: string) => json(`cannot kill container: ${ref}: ${why}`);
    const renamed = (why: string) => json(`Error when allocating new name: ${why}`);
    const only = "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed";
    const cases: readonly [string, number, readonly string[], string?][] = [
      ["containers/nope/resize", 400, size("", "invalid syntax")],
      ["containers/nope/resize?h=-1&w=1", 400, size("-1", "value out of range")],
      ["containers/nope/resize?h=70000&w=1", 404, json("No such container: nope")],
      ["exec/nope/resize?h=x&w=1", 400, size("x", "invalid syntax")],
      ["exec/nope/resize?h=1&w=1", 404, json("No such exec instance: nope")],
      ["containers/nope/attach", 404, [raw, "No such container: nope"]],
      [`containers/${live}/attach?detachKeys=x-`, 400, [raw, "Invalid detach keys (x-) provided"]],
      ["containers/nope/kill?signal=FOO", 400, kill("nope", "invalid signal: FOO")],
      ["containers/nope/kill", 404, kill("nope", "No such container: nope")],
      [
        `containers/${live}/kill?signal=65`,
        400,
        kill(live, "the linux daemon does not support signal 65"),
      ],
      ["containers/nope/rename", 400, json("Neither old nor new names may be empty")],
      [
        `containers/${created}/rename?name=a/b`,
        400,
        renamed(`Invalid container name (/a/b), ${only}`),
      ],
      [
        `containers/${created}/start`,
        400,
        json(
          "starting container with non-empty request body was deprecated since API v1.22 and removed in v1.24",
        ),
        '{"Binds":[]}',
      ],
    ];
    for (const [path, status, [type = "", text = ""], body] of cases)
      expect([path, ...(await call(path, body))]).toEqual([path, status, type, text]);
    expect((await call(`containers/${live}/resize?h=10&w=10`))[0]).toBe(200);
    expect((await call(`containers/${created}/stop?signal=FOO`))[0]).toBe(304);
  });

  test("an exec that was not started goes with the run of its container", async () => {
    const live = target.name();
    await target.ok(["run", "-d", "--name", live, image, "sleep", "1000"]);
    const call = (method: string, path: string, body?: object) =>
      fetch(`http://d/v1.51/${path}`, {
        ...{ method, unix: target.socket, headers: { "Content-Type": "application/json" } },
        ...(body && { body: JSON.stringify(body) }),
      });
    const made = await call("POST", `containers/${live}/exec`, { Cmd: ["true"] });
    const { Id: id } = (await made.json()) as { Id: string };
    await target.ok(["restart", "-t", "0", live]);
    expect((await call("GET", `exec/${id}/json`)).status).toBe(404);
    expect((await call("POST", `exec/${id}/start`, {})).status).toBe(404);
  });

  test("the size of an exec is set once it runs, and never after", async () => {
    const live = target.name();
    const container = await target.ok(["run", "-d", "--name", live, image, "sleep", "1000"]);
    const call = (path: string, body?: object) =>
      fetch(`http://d/v1.51/${path}`, {
        ...{ method: "POST", unix: target.socket },
        headers: { "Content-Type": "application/json" },
        ...(body && { body: JSON.stringify(body) }),
      });
    const make = async (...Cmd: string[]) => {
      const made = await call(`containers/${live}/exec`, { Cmd, Tty: true });
      return ((await made.json()) as { Id: string }).Id;
    };
    const running = await make("sleep", "1000");
    const early = call(`exec/${running}/resize?h=10&w=10`);
    await call(`exec/${running}/start`, { Detach: true });
    expect((await early).status).toBe(200);
    const ended = await make("true");
    await call(`exec/${ended}/start`, { Detach: true });
    while (await isRunning(target, ended)) await Bun.sleep(20);
    const late = await call(`exec/${ended}/resize?h=10&w=10`);
    const message = `NotFound: process does not exist ${ended}: not found`;
    expect([late.status, await late.json()]).toEqual([404, { message }]);
    await target.ok(["kill", live]);
    await target.ok(["wait", live]);
    const stopped = await call(`exec/${ended}/resize?h=10&w=10`);
    const why = { message: `container ${container} is not running` };
    expect([stopped.status, await stopped.json()]).toEqual([409, why]);
  });

  test("an attach to no stream ends at once", async () => {
    const init = { method: "POST", unix: target.socket };
    const answer = await fetch(`http://d/v1.51/containers/${name}/attach?stream=1`, init);
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  });

  test("many lines come complete and in order", async () => {
    const lines = 50_000;
    const { stdout } = await exec(name, "seq", String(lines));
    expect(stdout.split("\n")).toHaveLength(lines + 1);
    expect(stdout).toEndWith(`\n${lines}\n`);
    const ran = await target.docker(["run", "--rm", image, "seq", String(lines)]);
    expect(ran.stdout).toBe(stdout);
  });
});

async function isRunning({ socket }: DockerTarget, id: string): Promise<boolean> {
  const answer = await fetch(`http://d/v1.51/exec/${id}/json`, { unix: socket });
  return ((await answer.json()) as { Running: boolean }).Running;
}
