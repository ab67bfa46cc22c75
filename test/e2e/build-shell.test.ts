/** Entering steps of builds: `thimble build --on-error=shell` and `thimble build shell`. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TerminalScreen } from "../support/terminal-screen.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("entering steps of builds [needs root]", () => {
  const cli = new ThimbleCli();
  let context = "";
  let count = 0;
  beforeAll(() => cli.importBusybox("busybox"));
  afterAll(() => cli[Symbol.asyncDispose]());
  beforeEach(() => {
    context = join(cli.directory, `context-${count++}`);
    mkdirSync(context);
  });
  const put = (name: string, text: string) => writeFileSync(join(context, name), text);
  const failing = [
    "FROM busybox AS base",
    "RUN echo below > /below",
    "FROM base AS last",
    "ARG WHO=nobody",
    "ENV A=1",
    "WORKDIR /work",
    "USER 7",
    "RUN --mount=type=secret,id=token,env=TOKEN --mount=type=bind,target=/ctx --mount=type=tmpfs,target=/tmp echo left > /tmp/gone; exit 3",
    "",
  ].join("\n");

  test("a RUN that fails is entered with its files, mounts, secrets, environment, user and directory", async () => {
    put("token", "s3cret");
    put("Dockerfile", failing);
    const script = "id -u; pwd; echo $A $WHO $TOKEN; cat /below; ls /ctx; ls -A /tmp; exit 9\n";
    const { status, stdout, stderr } = await cli.run(
      [
        "build",
        "--on-error=shell",
        "--progress=plain",
        "--build-arg",
        "WHO=me",
        "--secret",
        `id=token,src=${context}/token`,
        context,
      ],
      { input: script },
    );
    expect(stdout).toBe("7\n/work\n1 me s3cret\nbelow\nDockerfile\ntoken\n");
    expect(stderr).toContain("Its files are as the command left them.");
    expect(stderr).toContain("What was changed in the step is thrown away.\n");
    expect(stderr).toEndWith("did not complete successfully: exit code: 3\n");
    expect(status).toBe(1);
  });

  test("what the failed command left is there, and what is changed goes", async () => {
    put("Dockerfile", "FROM busybox\nRUN echo partly > /made; false\n");
    const words = ["build", "--on-error=shell", "--progress=quiet", context];
    const look = () =>
      cli.run(words, { input: "cat /made; echo changed > /made; ls /new; touch /new\n" });
    expect((await look()).stdout).toBe("partly\n");
    expect((await look()).stdout).toBe("partly\n");
  });

  test("on a terminal it is a shell with the terminal's size, and ctrl-c is the shell's", async () => {
    put("Dockerfile", "FROM busybox\nRUN echo broken; exit 4\n");
    const size = { rows: 24, columns: 140 };
    const program = cli.terminal(["build", "--on-error=shell", context], {
      ...size,
      env: { TERM: "xterm" },
    });
    const screen = new TerminalScreen(program, size);
    await screen.until(/Leave with exit or ctrl-d[\s\S]*# $/m);
    await screen.until(/^24 140$/m, "stty size\r");
    await screen.until(/^go$/m, "echo go; sleep 1000\r");
    await screen.until(/\^C[\s\S]*# $/m, "\u0003");
    program.send("exit\r");
    const { status, stdout } = await program.ended;
    expect(stdout).toContain("exit code: 4");
    expect(status).toBe(1);
  });

  test("any step is entered in its place, by number, stage and line", async () => {
    put(
      "Dockerfile",
      "FROM busybox AS one\nENV A=1\nRUN echo 1 > /one\nENV A=2\nFROM one AS two\nCOPY Dockerfile /copied\nRUN echo never > /never\nENV A=3\nWORKDIR /w\n",
    );
    const shell = async (...words: string[]) => {
      const command = ["sh", "-c", "echo $A $PWD; ls -d /one /copied /never 2>/dev/null"];
      return (await cli.run(["build", "shell", "--progress=quiet", ...words, context, ...command]))
        .stdout;
    };
    expect(await shell("--step", "one/2")).toBe("1 /\n");
    expect(await shell("--step", "one")).toBe("1 /\n/one\n");
    expect(await shell("--step", "2")).toBe("2 /\n/copied\n/one\n");
    expect(await shell()).toBe("3 /w\n/copied\n/never\n/one\n");
    const { status, stderr } = await cli.run(["build", "shell", "--step", "9", context, "true"]);
    expect(stderr).toContain("there is no step 9 in this build");
    expect(status).toBe(1);
    expect((await cli.run(["build", "shell", context, "sh", "-c", "exit 5"])).status).toBe(5);
  });

  test("a signal ends the shell and the build, and so does the end of the engine", async () => {
    put("Dockerfile", "FROM busybox\nRUN false\n");
    const start = () => cli.start(["build", "shell", "--progress=plain", context]);
    // No other test's.
    const sleep = `sleep ${1_000_000 + process.pid}`;
    const first = start();
    await first.until("Its files are as the command left them.");
    first.send(`echo in; ${sleep}\n`);
    await first.until("in\n");
    first.signal("SIGINT");
    expect((await first.ended).status).toBe(130);
    const second = start();
    await second.until("Its files are as the command left them.");
    second.send(`echo in; ${sleep}\n`);
    await second.until("in\n");
    await cli.stopEngine("SIGKILL");
    expect((await second.ended).status).not.toBe(0);
    await cli.ok(["ps"]);
    expect(await cli.run(["system", "fsck"])).toMatchObject({ status: 0 });
    const { stdout } = Bun.spawnSync(["pgrep", "-f", sleep]);
    expect(stdout.toString()).toBe("");
  });

  test("standard input cannot be both, and an image without a shell says so", async () => {
    const both = await cli.run(["build", "--on-error=shell", "-"], { input: "FROM busybox\n" });
    expect(both).toMatchObject({ status: 1, stdout: "" });
    expect(both.stderr).toContain("a shell takes commands from standard input");
    put("Dockerfile", "FROM scratch\nCOPY Dockerfile /\n");
    const bare = await cli.run(["build", "shell", context], { input: "true\n" });
    expect(bare.stderr).toContain("/bin/sh");
    expect(bare.status).toBe(1);
  });
});
