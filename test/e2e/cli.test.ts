/** The verbs of `thimble` as a user types them, over an engine that the first one starts. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { busybox, type Ended, ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const image = "busybox:e2e";

describe.skipIf(!isRoot)("thimble [needs root]", () => {
  const cli = new ThimbleCli();
  beforeAll(async () => {
    await cli.importBusybox(image);
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  const run = (flags: readonly string[], ...command: string[]): Promise<Ended> =>
    cli.run(["run", "--rm", "--network", "none", ...flags, image, ...command]);
  const sh = (script: string, ...flags: string[]) => run(flags, "sh", "-c", script);
  const nothingLeft = async () => expect(await cli.ok(["ps", "-aq"])).toBe("");

  describe("run", () => {
    const cases: [name: string, ended: () => Promise<Ended>, status: number, err: string][] = [
      ["the status of the program", () => sh("exit 7"), 7, ""],
      ["no such program", () => run([], "nosuch"), 127, "executable file not found"],
      ["a directory as the program", () => run([], "/etc"), 126, "permission denied"],
      [
        "a file that is not a program",
        () => run([], "/etc/not-executable"),
        126,
        "permission denied",
      ],
      ["a flag that is none", () => run(["--nosuch"]), 125, "unknown flag: --nosuch"],
      ["too little memory", () => run(["-m", "1m"]), 125, "Minimum memory limit allowed is 6MB"],
      ["a wrong name", () => run(["--name", "a b"]), 125, "Invalid container name (a b)"],
      [
        "a source that is missing",
        () => run(["--mount", "type=bind,src=/nosuch,dst=/x"]),
        125,
        "bind source path does not exist: /nosuch",
      ],
      ["what is yet to come", () => run(["--gpus", "all"]), 125, "Error response from daemon"],
    ];
    test.each(cases)("%s", async (_, ended, status, err) => {
      const { stderr, ...rest } = await ended();
      expect(rest).toEqual({ status, signal: null, stdout: "" });
      if (err === "") expect(stderr).toBe("");
      else expect(stderr).toContain(err);
      await nothingLeft();
    });

    test("an image that is not there is pulled, unless that is forbidden", async () => {
      // Nobody listens on port 1.
      const missing = "127.0.0.1:1/nosuch:1";
      const { status, stderr } = await cli.run(["run", missing]);
      expect(status).toBe(125);
      expect(stderr).toStartWith(`Unable to find image '${missing}' locally\n`);
      expect(stderr).toContain("cannot connect to 127.0.0.1:1");
      const never = await cli.run(["run", "--pull", "never", missing]);
      expect(never).toMatchObject({
        status: 125,
        stderr: expect.stringContaining("No such image"),
      });
    });

    test("keeps both outputs apart and whole", async () => {
      const { stdout, stderr } = await sh("echo out; echo err >&2");
      expect({ stdout, stderr }).toEqual({ stdout: "out\n", stderr: "err\n" });
      const large = await sh("head -c 3000000 /dev/zero | tr '\\0' x");
      expect(large.stdout.length).toBe(3_000_000);
    });

    test("-i gives input to its end", async () => {
      const input = "line\n".repeat(100_000);
      const { stdout, status } = await cli.run(["run", "--rm", "-i", image, "wc", "-c"], { input });
      expect({ stdout, status }).toEqual({ stdout: `${input.length}\n`, status: 0 });
    });

    test("environment, directory, user and files", async () => {
      const file = join(cli.directory, "env");
      writeFileSync(file, "A=1\nFOO\n");
      const { stdout } = await cli.run(
        [
          ...["run", "--rm", "--env-file", file, "-e", "B=2", "-w", "/tmp", "-u", "1000"],
          ...[image, "sh", "-c", "echo $A $B $FOO $(pwd) $(id -u)"],
        ],
        { env: { FOO: "here" } },
      );
      expect(stdout).toBe("1 2 here /tmp 1000\n");
    });

    test("-d prints the id, and --cidfile keeps it", async () => {
      const file = join(cli.directory, "cid");
      const id = await cli.ok(["run", "-d", "--cidfile", file, image, "sleep", "100"]);
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      expect(readFileSync(file, "utf8")).toBe(id);
      const second = await cli.run(["run", "-d", "--cidfile", file, image, "sleep", "100"]);
      expect(second.status).toBe(125);
      expect(second.stderr).toContain("container ID file found");
      expect(await cli.ok(["rm", "-f", id])).toBe(id);
    });

    test("--dry-run prints the plan and makes nothing", async () => {
      const text = await cli.ok(["run", "--dry-run", "-m", "64m", image, "true"]);
      expect(text).toContain("67108864");
      const args = ["run", "--dry-run", "--json", image, "true"];
      expect(JSON.parse(await cli.ok(args))).toMatchObject({
        process: { argv: ["true"] },
      });
      await nothingLeft();
    });
  });

  describe("signals and terminals", () => {
    test("signals go to the program", async () => {
      const script = "trap 'echo got it; exit 3' INT; echo ready; while :; do sleep 0.05; done";
      const running = cli.start(["run", "--rm", image, "sh", "-c", script]);
      await running.until("ready");
      running.signal("SIGINT");
      expect(await running.ended).toMatchObject({ status: 3, stdout: "ready\ngot it\n" });
    });

    test("the status of a program that a signal ended is 128 and the signal", async () => {
      const running = cli.start([
        "run",
        "--rm",
        "--name",
        "victim",
        image,
        "sh",
        "-c",
        "echo ready; sleep 100",
      ]);
      await running.until("ready");
      expect(await cli.ok(["kill", "victim"])).toBe("victim");
      expect((await running.ended).status).toBe(137);
    });

    test("the third interrupt ends a command whose program does not care", async () => {
      const running = cli.start([
        "run",
        "--name",
        "stubborn",
        image,
        "sh",
        "-c",
        "trap '' INT; echo ready; sleep 100",
      ]);
      await running.until("ready");
      // Two that come close together may arrive as one.
      let isOver = false;
      const ended = running.ended.finally(() => {
        isOver = true;
      });
      while (!isOver) {
        running.signal("SIGINT");
        await Bun.sleep(20);
      }
      const { status, stderr } = await ended;
      expect(status).toBe(1);
      expect(stderr).toContain("got 3 SIGTERM/SIGINTs, forcefully exiting");
      await cli.ok(["rm", "-f", "stubborn"]);
    });

    test("-it is a terminal, and hands over the program's status", async () => {
      const terminal = cli.terminal(["run", "--rm", "-it", image, "sh"]);
      await terminal.until("# ");
      terminal.send("tty; echo $((40 + 2)); exit 5\n");
      const { status, stdout } = await terminal.ended;
      expect(status).toBe(5);
      expect(stdout).toContain("/dev/pts/0\r\n42\r\n");
    });

    test("the detach keys leave the container running; attach comes back to it", async () => {
      const terminal = cli.terminal(["run", "-it", "--name", "kept", image, "sh"]);
      await terminal.until("# ");
      terminal.send("\x10\x11");
      expect((await terminal.ended).status).toBe(0);
      expect(await cli.ok(["inspect", "-f", "{{.State.Running}}", "kept"])).toBe("true");
      const again = cli.terminal(["attach", "kept"]);
      await again.until("# ");
      again.send("echo back; exit 4\n");
      const { status, stdout } = await again.ended;
      expect(stdout).toContain("back\r\n");
      expect(status).toBe(4);
      await cli.ok(["rm", "kept"]);
    });

    test("without a terminal -it is refused before anything is made", async () => {
      const { status, stderr } = await run(["-it"], "sh");
      expect({ status, stderr }).toEqual({ status: 1, stderr: "the input device is not a TTY\n" });
      await nothingLeft();
    });

    test("a reader that leaves ends the command, without a word", async () => {
      const script = `${process.execPath} ${join(import.meta.dir, "../../src/main/tool.ts")}`;
      const line = `${script} run --rm --name flood --log-driver none ${image} yes | head -1; echo \${PIPESTATUS[0]}`;
      const env = {
        ...process.env,
        THIMBLE_RUN_ROOT: join(cli.socket, ".."),
        THIMBLE_DATA_ROOT: join(cli.directory, "data"),
      };
      const { stdout, stderr } = Bun.spawnSync(["bash", "-c", line], { env });
      await cli.run(["rm", "-f", "flood"]);
      expect(stdout.toString()).toBe("y\n141\n");
      expect(stderr.toString()).toBe("");
    });
  });

  describe("the life of a container", () => {
    test("logs of several containers come by time, each line behind its container's name", async () => {
      const script = "echo one; sleep 0.1; echo three >&2";
      await cli.ok(["run", "-d", "--name", "first", image, "sh", "-c", script]);
      await cli.ok(["wait", "first"]);
      await cli.ok(["run", "--name", "second-one", image, "sh", "-c", "echo four; printf five"]);
      await cli.ok(["start", "-a", "first"]);
      const { stdout, stderr, status } = await cli.run(["logs", "first", "second-one"]);
      const lines = [
        "first      | one",
        "second-one | four",
        "second-one | five",
        "first      | one",
      ];
      expect({ status, stdout, stderr }).toEqual({
        status: 0,
        stdout: `${lines.join("\n")}\n`,
        stderr: "first      | three\n".repeat(2),
      });
      const followed = await cli.ok(["logs", "-f", "-t", "--tail", "1", "first", "second-one"]);
      expect(followed).toMatch(/^second-one \| \d{4}-\S+Z five$/);
      const missing = await cli.run(["logs", "first", "nope"]);
      expect(missing).toMatchObject({ stdout: "", status: 1 });
      await cli.ok(["rm", "first", "second-one"]);
    });

    test("create, start, exec, logs, stop, wait, rename, rm", async () => {
      const script = "trap 'echo down; exit 3' TERM; echo up; while :; do sleep 0.05; done";
      await cli.ok(["create", "--name", "life", "-l", "k=v", image, "sh", "-c", script]);
      expect(await cli.ok(["ps", "-aq", "-f", "status=created"])).not.toBe("");
      expect(await cli.ok(["start", "life"])).toBe("life");
      const listed = JSON.parse(await cli.ok(["ps", "--json", "-f", "label=k=v"]));
      expect(listed).toMatchObject({ Names: "life", State: "running", Labels: "k=v" });
      expect((await cli.run(["exec", "life", "sh", "-c", "exit 9"])).status).toBe(9);
      expect((await cli.run(["exec", "life", "nosuch"])).status).toBe(127);
      expect(await cli.ok(["exec", "-i", "life", "cat"], { input: "echo\n" })).toBe("echo");
      expect(await cli.ok(["top", "life", "-o", "pid,args"])).toContain("PID");
      const waiting = cli.start(["wait", "life"]);
      const following = cli.start(["logs", "-f", "life"]);
      await following.until("up");
      expect(await cli.ok(["stop", "life"])).toBe("life");
      expect((await waiting.ended).stdout).toBe("3\n");
      expect((await following.ended).stdout).toBe("up\ndown\n");
      await cli.ok(["rename", "life", "past"]);
      expect(await cli.ok(["logs", "--tail", "1", "past"])).toBe("down");
      const format = '{{.Name}} {{.State.ExitCode}} {{index .Config.Labels "k"}}';
      expect(await cli.ok(["inspect", "-f", format, "past"])).toBe("/past 3 v");
      const history = await cli.ok([
        ...["events", "--since", "5m", "--until", "0s", "-f", "container=past"],
        ...["--format", "{{.Action}}"],
      ]);
      expect(history.split("\n")).toContain("rename");
      expect(await cli.ok(["rm", "past"])).toBe("past");
      await nothingLeft();
    });

    test("start -a has the status; several failures are all told", async () => {
      await cli.ok(["create", "--name", "once", image, "sh", "-c", "echo hi; exit 6"]);
      const { status, stdout } = await cli.run(["start", "-a", "once"]);
      expect({ status, stdout }).toEqual({ status: 6, stdout: "hi\n" });
      const removed = await cli.run(["rm", "nosuch1", "once", "nosuch2"]);
      expect(removed).toEqual({
        status: 1,
        signal: null,
        stdout: "once\n",
        stderr:
          "Error response from daemon: No such container: nosuch1\nError response from daemon: No such container: nosuch2\n",
      });
      expect(await cli.run(["rm", "-f", "nosuch"])).toMatchObject({
        status: 0,
        stderr: "Error response from daemon: No such container: nosuch\n",
      });
    });
  });

  describe("images", () => {
    test("save, load, tag, export, import, history, rmi", async () => {
      const tar = join(cli.directory, "image.tar");
      await cli.ok(["tag", image, "other:1"]);
      await cli.ok(["save", "-o", tar, "other:1"]);
      await cli.ok(["rmi", "other:1"]);
      expect(await cli.ok(["load", "-i", tar])).toBe("Loaded image: other:1");
      expect(await cli.ok(["images", "-q", "other"])).toMatch(/^[0-9a-f]{12}$/);
      await cli.ok(["create", "--name", "source", "other:1", "true"]);
      const tree = join(cli.directory, "tree.tar");
      await cli.ok(["export", "-o", tree, "source"]);
      const id = await cli.ok(["import", "-c", 'CMD ["echo","imported"]', tree, "third:1"]);
      expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
      expect(await cli.ok(["run", "--rm", "third:1"])).toBe("imported");
      expect(await cli.ok(["history", "-q", "third:1"])).toBe(id.slice(7, 19));
      await cli.ok(["rm", "source"]);
      expect(await cli.ok(["rmi", "third:1", "other:1"])).toContain("Untagged: third:1");
    });

    test("an archive to a device or a pipe is written to it, and takes no place", async () => {
      const device = join(cli.directory, "null");
      execFileSync("mknod", [device, "c", "1", "3"]);
      await cli.ok(["save", "-o", device, image]);
      expect(lstatSync(device).isCharacterDevice()).toBe(true);
    });

    test("an archive that cannot be written leaves nothing", async () => {
      const path = join(cli.directory, "nosuch.tar");
      const { status, stderr } = await cli.run(["save", "-o", path, "nosuch:1"]);
      expect(status).toBe(1);
      expect(stderr).toContain("nosuch:1");
      expect(existsSync(path)).toBe(false);
      expect((await cli.run(["load"], { input: "no tar at all" })).status).toBe(1);
    });

    test("mkimage scratch: static binaries only, the first is the command", async () => {
      const binary = join(cli.directory, "echo");
      copyFileSync(busybox, binary);
      const made = await cli.ok(["mkimage", "-t", "tiny", "scratch", binary]);
      expect(made).toContain("Made tiny (sha256:");
      expect((await cli.run(["run", "--rm", "tiny"])).stdout).toBe("\n");
      const placed = ["--cmd", "/bin/echo", "--cmd", "hi", `${binary}:/bin/echo`];
      const id = await cli.ok(["mkimage", "-q", "-t", "tiny2", "scratch", ...placed]);
      expect(await cli.ok(["run", "--rm", "tiny2"])).toBe("hi");
      expect(id).toMatch(/^sha256:/);
      const dynamic = await cli.run(["mkimage", "-t", "big", "scratch", "/bin/bash"]);
      expect(dynamic.status).toBe(1);
      expect(dynamic.stderr).toContain("libc.so.6");
      expect((await cli.run(["inspect", "big"])).status).toBe(1);
      await cli.ok(["rmi", "tiny", "tiny2"]);
    });
  });

  describe("which engine", () => {
    test("a host from the environment is never started", async () => {
      const directory = join(cli.directory, "elsewhere");
      mkdirSync(directory);
      for (const name of ["DOCKER_HOST", "THIMBLE_HOST"]) {
        const { status, stderr } = await cli.run(["ps"], {
          env: { [name]: `unix://${directory}/none.sock` },
        });
        expect(status).toBe(1);
        expect(stderr).toContain(`(from ${name}): there is no such socket`);
      }
      expect(existsSync(join(directory, "none.sock"))).toBe(false);
    });

    const tool = join(import.meta.dir, "../../src/main/tool.ts");
    const drop = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const isReadable = Bun.spawnSync([...drop, "test", "-r", tool]).exitCode === 0;
    const reader = "[needs a clone that others can read]";
    test.skipIf(!isReadable)(
      `without leave to use the socket the message says so ${reader}`,
      () => {
        const words = [process.execPath, tool];
        const { exitCode, stderr } = Bun.spawnSync([...drop, ...words, "-H", cli.socket, "ps"], {
          env: { PATH: process.env.PATH ?? "" },
        });
        expect(exitCode).toBe(1);
        expect(stderr.toString()).toContain("permission denied on unix://");
      },
    );

    test("version, info and doctor", async () => {
      expect(await cli.ok(["version", "-f", "{{.Server.APIVersion}}"])).toBe("1.51");
      expect(JSON.parse(await cli.ok(["info", "--json"]))).toMatchObject({ OSType: "linux" });
      expect(JSON.parse(await cli.ok(["doctor", "--json"]))).toMatchObject({ ok: true });
      expect(await cli.ok(["doctor"])).toContain("This machine can run thimble.");
    });
  });
});
