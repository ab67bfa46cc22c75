import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import type { Command, Group } from "./command.ts";
import type { CliOptions, DaemonOptions } from "./context.ts";
import { dockerCommands } from "./docker-commands.ts";
import { runCli } from "./run-cli.ts";
import { commands } from "./table.ts";
import { testOptions } from "./testing.ts";

const directory = mkdtempSync("/tmp/thimble-cli-");
afterAll(() => rmSync(directory, { recursive: true }));

async function run(line: string, change: Partial<CliOptions> = {}) {
  const { options, stdout, stderr } = testOptions(change);
  const status = await runCli(line === "" ? [] : line.split(" "), options);
  return { status, out: stdout.text, err: stderr.text };
}

describe("usage, with docker's exit statuses and words", () => {
  test.each([
    ["", 0, "Usage:  thimble [OPTIONS] COMMAND\n", ""],
    ["--version", 0, "thimble version 1.2.3\n", ""],
    ["help run", 0, "Usage:  thimble run [OPTIONS] IMAGE [COMMAND] [ARG...]\n", ""],
    ["run --help", 0, "Usage:  thimble run [OPTIONS] IMAGE [COMMAND] [ARG...]\n", ""],
    ["container", 0, "Usage:  thimble container COMMAND\n", ""],
    ["container --help", 0, "Usage:  thimble container COMMAND\n", ""],
    ["container ls --help", 0, "Usage:  thimble container ls [OPTIONS]\n", ""],
    ["mkimage debootstrap --help", 0, "Usage:  thimble mkimage debootstrap -t NAME", ""],
    ["foo", 1, "", "thimble: unknown command: thimble foo\n\nRun 'thimble --help' for more"],
    ["runn", 1, "", 'Did you mean "thimble run"?'],
    ["container sl", 1, "", "thimble: unknown command: thimble container sl"],
    [
      "compose watch",
      1,
      "",
      "thimble: docker has the command 'compose watch', but this version of thimble",
    ],
    ["volume update", 1, "", "docker has the command 'volume update', but"],
    ["build .", 1, "", "failed to read dockerfile: open Dockerfile: no such file or directory"],
    ["build --call=foo .", 1, "", "unsupported call: foo; use build, check, outline or targets"],
    ["cp a b", 1, "", "must specify at least one container source"],
    ["cp a:/x b:/x", 1, "", "copying between containers is not supported"],
    ["--foo", 125, "", "unknown flag: --foo\n"],
    ["--foo ps", 125, "", "unknown flag: --foo\n"],
    ["ps --foo", 125, "", "unknown flag: --foo\n\nUsage:  thimble ps [OPTIONS]\n\nRun 'thimble ps"],
    ["ps --al", 125, "", "Did you mean --all?"],
    ["ps x", 1, "", "thimble: 'thimble ps' accepts no arguments\n"],
    ["run", 1, "", "thimble: 'thimble run' requires at least 1 argument\n"],
    ["rename a", 1, "", "thimble: 'thimble rename' requires 2 arguments\n"],
    ["images a b", 1, "", "thimble: 'thimble images' requires at most 1 argument\n"],
    ["help foo", 1, "", "unknown help topic: foo"],
    ["-H foo://x ps", 1, "", '"foo://x" is not a host to connect to'],
    ["run -it img", 1, "", "the input device is not a TTY\n"],
    ["run -v :x: img", 125, "", "thimble: invalid spec: :x:"],
    ["run --pull sometimes img", 125, "", "invalid pull option: 'sometimes'"],
    ["mkimage foo", 1, "", "unknown method: foo"],
    ["mkimage scratch x", 1, "", "the image needs a name: -t NAME"],
    ["mkimage -t x debootstrap", 1, "", "takes other arguments"],
    ["images --tree -q", 1, "", "--quiet is not supported with --tree"],
    ["-l loud ps", 125, "", 'invalid argument "loud" for "-l, --log-level" flag'],
    ["daemon -l loud", 125, "", 'invalid argument "loud" for "-l, --log-level" flag'],
    ["completion tcsh", 1, "", "use bash, zsh or fish"],
  ])("%s", async (line, status, out, err) => {
    const result = await run(line);
    expect(result.status).toBe(status);
    if (out === "") expect(result.out).toBe("");
    else expect(result.out).toStartWith(out);
    if (err === "") expect(result.err).toBe("");
    else expect(result.err).toContain(err);
  });
});

describe("every command of the table", () => {
  const all: [path: string, node: Command | Group][] = [];
  const walk = (nodes: Readonly<Record<string, Command | Group>>, before: string) => {
    for (const [name, node] of Object.entries(nodes)) {
      all.push([`${before}${name}`, node]);
      walk(node.kind === "group" ? node.commands : node.variants, `${before}${name} `);
    }
  };
  walk(commands, "");

  test.each(all)("%s has help that fits 80 columns", async (path) => {
    const { status, out } = await run(`${path} --help`);
    expect(status).toBe(0);
    expect(out).toStartWith("Usage:  thimble");
    const options = out.split("Options:\n")[1]?.split("\n\n")[0] ?? "";
    for (const line of options.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
  });

  test("no command has two flags of one letter", () => {
    for (const [path, node] of all) {
      if (node.kind === "group") continue;
      const letters = Object.values(node.flags).flatMap(({ short }) => (short ? [short] : []));
      expect(`${path} ${letters}`).toBe(`${path} ${[...new Set(letters)]}`);
    }
  });
});

describe("reaching an engine", () => {
  async function serve(path: string) {
    const server = createServer((_, response) => {
      response.setHeader("Content-Type", "application/json");
      response.end("[]");
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    return server;
  }

  test.each([
    ["the default", "ps -q", "thimble.sock"],
    ["one that -H names", `-H unix://${directory}/named.sock ps -q`, "named.sock"],
  ])("one is started when nothing listens on the socket: %s", async (_, line, name) => {
    const servers: Awaited<ReturnType<typeof serve>>[] = [];
    const asked: string[] = [];
    const result = await run(line, {
      env: { THIMBLE_RUN_ROOT: directory },
      startDaemon: async ({ socket }) => {
        asked.push(socket);
        servers.push(await serve(socket));
      },
    });
    for (const server of servers) server.close();
    expect(result).toEqual({ status: 0, out: "", err: "" });
    expect(asked).toEqual([join(directory, name)]);
  });

  test("why it could not be started is said", async () => {
    const startDaemon = () => Promise.reject(new Error("the lock is taken"));
    const result = await run("ps", { env: { THIMBLE_RUN_ROOT: directory }, startDaemon });
    expect(result).toEqual({ status: 1, out: "", err: "the lock is taken\n" });
  });

  test("no engine is started for a socket that the environment names", async () => {
    const env = { DOCKER_HOST: `unix://${directory}/dead.sock` };
    const result = await run("ps", { env });
    expect(result).toEqual({
      status: 1,
      out: "",
      err: `cannot reach an engine at unix://${directory}/dead.sock (from DOCKER_HOST): there is no such socket\n`,
    });
  });

  test("no engine is started for a socket outside the run root; the message says how to", async () => {
    const host = `unix://${directory}/other/x.sock`;
    const result = await run(`-H ${host} ps`, { env: { THIMBLE_RUN_ROOT: directory } });
    expect(result.err).toBe(
      `cannot reach an engine at ${host}: there is no such socket; to start one there: thimble daemon -H ${host} --data-root DIR --run-root DIR\n`,
    );
  });

  test("version and completion start no engine", async () => {
    const env = { THIMBLE_RUN_ROOT: directory };
    const version = await run("version", { env });
    expect(version.status).toBe(0);
    expect(version.out).toContain("Server: not running; it starts on first use\n");
    expect((await run("__complete -- rm w", { env })).status).toBe(0);
  });

  test("completion knows the flags before the command, and asks the engine that -H names", async () => {
    expect((await run("__complete -- --ho")).out).toBe("--host\n");
    const server = createServer((_, response) => {
      response.setHeader("Content-Type", "application/json");
      response.end('[{ "Names": ["/here"] }]');
    });
    await new Promise<void>((resolve) => server.listen(join(directory, "words.sock"), resolve));
    const found = await run(`__complete -- -H unix://${directory}/words.sock rm h`);
    server.close();
    expect(found.out).toBe("here\n");
  });
});

test("--config names the directory of config.json", async () => {
  writeFileSync(join(directory, "config.json"), '{"currentContext":"far"}');
  const { out } = await run(`--config ${directory} context show`);
  rmSync(join(directory, "config.json"));
  expect(out).toBe("far\n");
});

test("ctrl-c during save -o leaves no file behind", async () => {
  const server = createServer(({ url }, response) => {
    response.write("part");
    if (url?.includes("/images/get")) process.emit("SIGINT");
    else response.end();
  });
  await new Promise<void>((resolve) => server.listen(join(directory, "cut.sock"), resolve));
  const result = await run(`-H unix://${directory}/cut.sock save -o ${directory}/cut.tar img`);
  server.closeAllConnections();
  server.close();
  expect(result).toEqual({ status: 130, out: "", err: "canceled\n" });
  expect(readdirSync(directory).filter((name) => name.startsWith("cut.tar"))).toEqual([]);
});

test("bash completes the command that the line names, outside of PATH too", async () => {
  const command = join(directory, "thimble");
  writeFileSync(command, '#!/bin/sh\nprintf "%s\\n" "asked:$*"\n', { mode: 0o755 });
  const { out: script } = await run("completion bash");
  for (const word of [command, "~/thimble"]) {
    const press = `COMP_WORDS=('${word}' run --na); COMP_CWORD=2; _thimble; echo "$COMPREPLY"`;
    const env = { ...process.env, HOME: directory };
    const shell = Bun.spawnSync(["bash", "--norc", "-c", `${script}\n${press}`], { env });
    expect(shell.stdout.toString()).toBe("asked:__complete -- run --na\n");
  }
});

test("the daemon is told its flags, -H before or after its name", async () => {
  const told: DaemonOptions[] = [];
  const daemon = async (options: DaemonOptions) => {
    told.push(options);
    return 3;
  };
  const local = { ...testOptions().options.local, daemon };
  const line =
    "daemon --data-root /d --run-root /r -H unix:///x.sock -l debug --config-root /c --insecure-registry r.example:5000";
  expect((await run(line, { local })).status).toBe(3);
  await run("-H unix:///y.sock daemon", { local });
  expect(told).toEqual([
    {
      dataRoot: "/d",
      runRoot: "/r",
      hosts: ["unix:///x.sock"],
      configRoot: "/c",
      insecureRegistries: ["r.example:5000"],
      logLevel: "debug",
      settings: {},
    },
    {
      dataRoot: undefined,
      runRoot: undefined,
      hosts: ["unix:///y.sock"],
      configRoot: undefined,
      insecureRegistries: undefined,
      settings: {},
    },
  ]);
});

test("flags of the daemon say what keys of its file say, in the form of the file", async () => {
  const told: unknown[] = [];
  const daemon = async ({ settings }: DaemonOptions) => {
    told.push(settings);
    return 0;
  };
  const local = { ...testOptions().options.local, daemon };
  const line =
    "daemon --log-driver local --log-opt max-size=5m --log-opt max-file=2 --dns 10.0.0.1 --mtu 1400 --default-address-pool base=10.7.0.0/16,size=24 --default-ulimit nofile=1:2 --label a=b --init -s overlay2";
  await run(line, { local });
  expect(told).toEqual([
    {
      "log-driver": "local",
      "log-opts": { "max-size": "5m", "max-file": "2" },
      dns: ["10.0.0.1"],
      mtu: 1400,
      "default-address-pools": [{ base: "10.7.0.0/16", size: 24 }],
      "default-ulimits": { nofile: { Name: "nofile", Soft: 1, Hard: 2 } },
      labels: ["a=b"],
      init: true,
      "storage-driver": "overlay2",
    },
  ]);
  const wrong = await run("daemon --default-address-pool nosuch", { local });
  expect(wrong.err).toContain('invalid argument "nosuch" for "--default-address-pool" flag');
});

test("commands listed as docker's alone are not ours", () => {
  for (const [path, words] of Object.entries(dockerCommands)) {
    const node = path === "" ? { commands } : commands[path];
    const own = node && "commands" in node ? Object.keys(node.commands) : [];
    expect(words.filter((word) => own.includes(word))).toEqual([]);
  }
});
