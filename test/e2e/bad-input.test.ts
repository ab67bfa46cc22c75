/**
 * What users and others get wrong: a clear word, Docker's exit status, and nothing left
 * behind. Said by `thimble`, and by the real docker CLI where both should say the same.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { dockerPath, isRoot } from "../support/docker-cli.ts";
import { busyboxTree } from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import { imageLayout, type LayoutFlaw } from "../support/hostile-archive.ts";
import { rawClient } from "../support/http-raw.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";
import { type TarMember, tarOf } from "../support/tree.ts";

const image = "busybox:bad";
const clone = join(import.meta.dir, "../..");
const tool = join(clone, "src/main/tool.ts");

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, but for 30 s at most. */
function runProgram(argv: readonly string[], env: Readonly<Record<string, string>>): Ended {
  const [program = "", ...args] = argv;
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: "/",
    env: { PATH: process.env.PATH ?? "", ...env },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

const rootsOf = ({ directory }: ThimbleCli) => ({
  dataRoot: join(directory, "data"),
  runRoot: join(directory, "run"),
});

describe.skipIf(!isRoot)("bad input [needs root]", () => {
  const cli = new ThimbleCli();
  const files = join(cli.directory, "files");
  let holdings: ReturnType<typeof engineHoldings>;

  beforeAll(async () => {
    mkdirSync(files);
    writeFileSync(join(files, "no-program"), "no program\n", { mode: 0o755 });
    await cli.importBusybox(image);
    await cli.ok(["create", "--name", "taken", image]);
    // Namespaces held ready and the like are made on first use.
    await cli.ok(["run", "--rm", image, "true"]);
    holdings = engineHoldings(rootsOf(cli));
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  const nothingLeft = async () => {
    expect(await cli.ok(["ps", "-a", "--format", "{{.Names}}"])).toBe("taken");
    await holdings.settled();
  };

  describe("run", () => {
    const bind = (source: string, target: string) => ["-v", `${source}:${target}`, image];
    const cases: [name: string, args: string[], status: number, ...texts: string[]][] = [
      ["an image's name in capitals", ["NoSuch"], 125, "must be lowercase"],
      ["no image's name", [""], 125, "invalid reference format"],
      ["a program that PATH does not have", [image, "nosuch"], 127, 'exec: "nosuch": executable'],
      ["a program that is not there", [image, "/nosuch"], 127, "no such file or directory"],
      ["a directory as the program", [image, "/etc"], 126, 'exec: "/etc": is a directory'],
      [
        "a file that is not executable",
        [image, "/etc/not-executable"],
        126,
        'exec: "/etc/not-executable": permission denied',
      ],
      ["a wrong name", ["--name", "a b", image], 125, "Invalid container name (a b)"],
      ["a wrong name of one letter", ["--name", "x", image], 125, "Invalid container name (x)"],
      [
        "a taken name",
        ["--name", "taken", image],
        125,
        'Conflict. The container name "/taken" is already in use by container',
        "You have to remove (or rename) that container",
      ],
      ["too little memory", ["-m", "5m", image], 125, "Minimum memory limit allowed is 6MB"],
      [
        "memory that is not a number",
        ["-m", "lots", image],
        125,
        'invalid argument "lots" for "-m',
      ],
      ["more CPUs than there are", ["--cpus", "4096", image], 125, "of CPUs is from 0.01"],
      [
        "a source that is missing",
        ["--mount", "type=bind,src=/nosuch,dst=/x", image],
        125,
        'invalid mount config for type "bind": bind source path does not exist: /nosuch',
      ],
      [
        "a mount of a type that is none",
        ["--mount", "type=bog,dst=/x", image],
        125,
        'invalid mount config for type "bog": mount type unknown',
      ],
      ["a directory on a file", bind("/etc", "/etc/passwd"), 125, "not a directory"],
      ["a file on a directory", bind("/etc/passwd", "/etc"), 125, "not a directory"],
      ["a mount on the root", bind("/etc", "/"), 125, "destination can't be '/'"],
      ["a mode that is none", bind("/etc", "/x:bog"), 125, "invalid mode: bog"],
      ["a working directory that is a file", ["-w", "/etc/passwd", image], 125, "not a directory"],
      ["a working directory that is not absolute", ["-w", "x", image], 125, "absolute path"],
      ["a user that is not there", ["-u", "nobodyx", image], 125, "unable to find user nobodyx"],
      ["a user beyond all", ["-u", "99999999999", image], 125, "uids and gids must be in range 0-"],
      ["a capability that is none", ["--cap-add", "BOG", image], 125, "BOG"],
      ["a signal that is none", ["--stop-signal", "BOG", image], 125, "signal: BOG"],
      ["a namespace of nobody", ["--pid", "bog", image], 125, "PID mode"],
      [
        "the network of nobody",
        ["--network", "container:nosuch", image],
        125,
        "No such container: nosuch",
      ],
      ["a flag that is none", ["--bog", image], 125, "unknown flag: --bog"],
    ];
    test.each(cases)("%s", async (_, args, status, ...texts) => {
      const words = ["run", "--rm", ...args];
      const said: Ended[] = [await cli.run(words)];
      if (dockerPath) said.push(runDocker(words));
      for (const { stderr, ...ended } of said) {
        expect(ended).toMatchObject({ status, stdout: "" });
        for (const text of texts) expect(stderr).toContain(text);
      }
    });
    const runDocker = (words: readonly string[]) => {
      const env = { DOCKER_HOST: `unix://${cli.socket}`, HOME: cli.directory };
      return runProgram([dockerPath ?? "", ...words], env);
    };

    test("an image that is neither here nor at its registry", async () => {
      // Nobody listens on port 1.
      const missing = "127.0.0.1:1/nosuch:1";
      const { status, stderr } = await cli.run(["run", missing]);
      expect(status).toBe(125);
      expect(stderr).toContain(`Unable to find image '${missing}' locally`);
      expect(stderr).toContain("cannot connect to 127.0.0.1:1");
      if (!dockerPath) return;
      const docker = runDocker(["run", missing]);
      expect(docker.status).toBe(125);
      expect(docker.stderr).toContain("cannot connect to 127.0.0.1:1");
    });

    test("a file whose format is not a program's", async () => {
      const mount = `${join(files, "no-program")}:/x`;
      const { status, stderr } = await cli.run(["run", "--rm", "-v", mount, image, "/x"]);
      expect({ status }).toEqual({ status: 126 });
      expect(stderr).toContain("exec format error");
    });

    test("a program's name without end", async () => {
      const { status, stderr } = await cli.run(["run", "--rm", image, "x".repeat(100_000)]);
      expect(status).toBe(127);
      expect(stderr).toContain("executable file not found");
      expect(stderr.length).toBeLessThan(1000);
    });

    test("-v makes the source that is missing", async () => {
      const source = join(files, "made");
      await cli.ok(["run", "--rm", "-v", `${source}:/x`, image, "ls", "-d", "/x"]);
      expect(statSync(source).isDirectory()).toBe(true);
    });

    test("nothing is left", nothingLeft);
  });

  describe("other verbs", () => {
    const cases: [args: string[], status: number, text: string][] = [
      [["create", "--name", "taken", image], 1, "is already in use by container"],
      [["start", "nosuch"], 1, "No such container: nosuch"],
      [["rm", "nosuch"], 1, "No such container: nosuch"],
      [["logs", "nosuch"], 1, "No such container: nosuch"],
      [["rmi", "nosuch"], 1, "No such image: nosuch:latest"],
      [["rmi", image], 1, "is using its referenced image"],
      [["tag", "nosuch", "x"], 1, "No such image: nosuch:latest"],
      [["tag", image, "A B"], 1, "invalid reference format"],
      [["exec", "taken", "true"], 1, "is not running"],
      [["export", "taken", "-o", "/nosuch/x"], 1, "/nosuch/x: no such file or directory"],
      [["load", "-i", "/nosuch"], 1, "open /nosuch: no such file or directory"],
      [["load", "-i", "/etc"], 1, "read /etc: is a directory"],
      [["import", "/etc"], 1, "read /etc: is a directory"],
      [["nosuch"], 1, "unknown command: thimble nosuch"],
    ];
    test.each(cases)("%p", async (args, status, text) => {
      const { stderr, ...ended } = await cli.run(args);
      expect(ended).toMatchObject({ status });
      expect(stderr).toContain(text);
    });

    test("exec of a program that cannot be run", async () => {
      await cli.ok(["run", "-d", "--rm", "--name", "runs", image, "sleep", "60"]);
      const exec = async (...args: string[]) => {
        // Told in the stream, which has begun by then, as dockerd does.
        const { status, stdout } = await cli.run(["exec", ...args]);
        return [status, stdout.trim().split(": ").slice(-3).join(": ")];
      };
      expect(await exec("runs", "nosuch")).toEqual([
        127,
        'exec: "nosuch": executable file not found in $PATH',
      ]);
      expect(await exec("runs", "/etc")).toEqual([
        126,
        '"/etc": is a directory: permission denied',
      ]);
      const [status, why] = await exec("-w", "/nosuch", "runs", "true");
      expect(status).toBe(127);
      expect(why).toContain("/nosuch: no such file or directory");
      await cli.ok(["rm", "-f", "runs"]);
    });

    test("nothing is left", nothingLeft);
  });

  describe("archives", () => {
    const outside = "/tmp/thimble-bad-escape";
    const up = "../".repeat(12);
    const link = (target: string): TarMember[] => [
      { name: "a", type: "symlink", linkName: target },
      { name: "a/thimble-bad-escape", content: "x" },
    ];
    const layouts: [name: string, flaw: LayoutFlaw, text: string][] = [
      ["a blob of another digest", { layerDigest: `sha256:${"1".repeat(64)}` }, "does not match"],
      ["a layer of another content", { diffId: `sha256:${"0".repeat(64)}` }, "does not match"],
      ["a blob of another size", { layerSize: 5 }, "where 5 are declared"],
      ["a blob that is missing", { members: (all) => all.slice(0, -1) }, "it is incomplete"],
      ["an index that is none", { index: '{"manifests": 7' }, "is not JSON"],
      ["an index without end", { index: Buffer.alloc(16 << 20, " ") }, "index.json"],
      [
        "a member outside",
        { members: (all) => [...all, { name: `${up}tmp/thimble-bad-escape`, content: "x" }] },
        "leads out of the archive's root",
      ],
      [
        "a link to a file of the host in place of a blob",
        {
          members: (all) => [
            ...all.slice(0, -1),
            { name: all.at(-1)?.name ?? "", type: "symlink", linkName: "/etc/passwd" },
          ],
        },
        "does not hold it",
      ],
      [
        "a layer that leads outside",
        { layer: [{ name: `${up}tmp/thimble-bad-escape`, content: "x" }] },
        "leads out of the archive's root",
      ],
      [
        "a layer with a hard link to the host",
        { layer: [{ name: "a", type: "hardlink", linkName: "/etc/passwd" }] },
        "which the archive has not made",
      ],
      ["a whiteout of all", { layer: [{ name: ".wh..." }] }, "whiteout of nothing"],
    ];
    test.each(layouts)("load: %s", async (_, flaw, text) => {
      const { status, stderr } = await cli.run(["load"], { input: imageLayout("flawed", flaw) });
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(text) });
      expect(existsSync(outside)).toBe(false);
    });

    const good = imageLayout("good");
    const flip = (bytes: Buffer, at: number) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
      return copy;
    };
    const damaged: [name: string, bytes: Uint8Array, text: string][] = [
      ["nothing", new Uint8Array(), "holds no images"],
      ["what is not an archive", Buffer.alloc(2000, "text\n"), "this is not a tar archive"],
      ["cut off in a header", good.subarray(0, 300), "cut off"],
      ["cut off in a blob", good.subarray(0, good.length - 8000), "cut off"],
      ["a bit of a header changed", flip(good, 150), "its checksum is wrong"],
      ["a bit of the layer changed", flip(good, good.lastIndexOf("hello")), "does not match"],
      ["cut off under gzip", gzipSync(good).subarray(0, 400), "cut off"],
      ["a bit changed under gzip", flip(gzipSync(good), 200), "damaged"],
      ["a root file system", tarOf([{ name: "etc/x" }]), "use import"],
    ];
    test.each(damaged)("load: %s", async (_, input, text) => {
      const { status, stderr } = await cli.run(["load"], { input });
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(text) });
    });

    const trees: [name: string, bytes: Uint8Array, text: string][] = [
      ["cut off", tarOf([{ name: "a", content: "x".repeat(2000) }]).subarray(0, 1000), "cut off"],
      ["what is not an archive", Buffer.alloc(2000, "text\n"), "this is not a tar archive"],
      ["a file outside", tarOf([{ name: `${up}tmp/thimble-bad-escape` }]), "leads out of"],
      ["cut off under gzip", gzipSync(good).subarray(0, 400), "cut off"],
    ];
    test.each(trees)("import: %s", async (_, input, text) => {
      const { status, stderr } = await cli.run(["import", "-", "flawed"], { input });
      expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(text) });
      expect(existsSync(outside)).toBe(false);
    });

    test("malformed names and changes", async () => {
      const input = tarOf([{ name: "a" }]);
      for (const [args, text] of [
        [["-", "BAD NAME"], "invalid reference format"],
        [["-c", "BOG x", "-", "flawed"], "BOG cannot be used here; use CMD"],
        [["--platform", "a/b/c/d", "-", "flawed"], "is not a platform"],
      ] as const) {
        const { status, stderr } = await cli.run(["import", ...args], { input });
        expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining(text) });
      }
    });

    test("an absolute name stays inside", async () => {
      const input = tarOf([{ name: outside, content: "x" }]);
      await cli.ok(["import", "-", "inside"], { input });
      expect(existsSync(outside)).toBe(false);
      await cli.ok(["rmi", "inside"]);
    });

    test("a link is followed inside the image, however far up it leads", async () => {
      for (const target of ["/tmp", `${up}tmp`]) {
        const layer = link(target);
        await cli.ok(["load"], { input: imageLayout("linked", { layer }) });
        await cli.ok(["import", "-", "linked-tree"], { input: tarOf(layer) });
        expect(existsSync(outside)).toBe(false);
        for (const name of ["linked", "linked-tree"]) {
          const files = await cli.ok(["explain", "--json", name]);
          expect(files).toContain(JSON.stringify(outside));
          await cli.ok(["rmi", name]);
        }
      }
    });

    test("nothing is left", async () => {
      expect(await cli.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"])).toBe(image);
      await nothingLeft();
    });
  });

  describe("a second engine", () => {
    const place = join(cli.directory, "second");
    const socket = join(place, "s");
    const { dataRoot, runRoot } = rootsOf(cli);
    const own = (kind: string) => join(place, kind);
    const cases: [name: string, data: string, run: string, host: string, text: string][] = [
      [
        "on the same data root",
        dataRoot,
        own("r"),
        `unix://${socket}`,
        `the data root ${dataRoot} is in use by another engine (pid `,
      ],
      [
        "on the same run root",
        own("d"),
        runRoot,
        `unix://${socket}`,
        `the run root ${runRoot} is in use by another engine (pid `,
      ],
      [
        "on the same socket",
        own("d2"),
        own("r2"),
        `unix://${cli.socket}`,
        `cannot listen on ${cli.socket}: another engine answers there`,
      ],
      ["on a file", own("d3"), own("r3"), `unix://${tool}`, "it is not a socket"],
      [
        "for all",
        own("d4"),
        own("r4"),
        "tcp://0.0.0.0:2375",
        "cannot listen on tcp://0.0.0.0:2375 without TLS",
      ],
      ["in a file", tool, own("r5"), `unix://${socket}`, "cannot make the data root"],
    ];
    test.each(cases)("%s", async (_, data, run, host, text) => {
      const roots = ["--data-root", data, "--run-root", run];
      const { status, stdout, stderr } = await cli.run(["daemon", ...roots, "-H", host]);
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toStartWith(`cannot start the engine: `);
      expect(stderr).toContain(text);
      expect(stderr.trim().split("\n")).toHaveLength(1);
    });

    test("started by a command on a data root in use", async () => {
      const env = { THIMBLE_RUN_ROOT: own("r6") };
      const { status, stderr } = await cli.run(["run", image], { env });
      expect(status).toBe(125);
      expect(stderr).toContain("is in use by another engine (pid ");
      expect(stderr).toContain("stop that one first, or choose another with --data-root");
    });

    test("the first one goes on, and nothing is left", async () => {
      await nothingLeft();
      expect(existsSync(own("r2"))).toBe(false);
      expect(existsSync(own("d4"))).toBe(false);
    });
  });

  test.each([
    ["unix:///nosuch/s", "cannot reach an engine at unix:///nosuch/s: there is no such socket"],
    ["tcp://127.0.0.1:1", "cannot reach an engine at tcp://127.0.0.1:1: nothing listens there"],
    [
      "bog",
      '"bog" is not a host to connect to: use unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST',
    ],
  ])("no engine at %s", async (host, text) => {
    expect(await cli.run(["-H", host, "ps"])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(text),
    });
  });

  // A clone in root's home is out of reach for others.
  const others = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
  const isReadable = runProgram([...others, "test", "-r", tool], {}).status === 0;
  describe.skipIf(!isReadable)("not root [needs a clone that others can read]", () => {
    const asNobody = (args: readonly string[], runRoot: string) =>
      runProgram([...others, process.execPath, tool, ...args], {
        THIMBLE_DATA_ROOT: rootsOf(cli).dataRoot,
        THIMBLE_RUN_ROOT: runRoot,
      });

    test("an engine that is root's", () => {
      // The directory of the test is closed to others.
      spawnSync("chmod", ["755", cli.directory]);
      const { runRoot } = rootsOf(cli);
      const denied = `permission denied on unix://${cli.socket}: run this as root (sudo thimble ...)`;
      const ps = asNobody(["ps"], runRoot);
      expect(ps).toMatchObject({ status: 1, stderr: expect.stringContaining(denied) });
      const run = asNobody(["run", image], runRoot);
      expect(run).toMatchObject({ status: 125, stderr: expect.stringContaining(denied) });
    });

    test("starting one", () => {
      const runRoot = "/run/thimble-bad-none";
      const ps = asNobody(["ps"], runRoot);
      expect(ps.status).toBe(1);
      expect(ps.stderr).toContain("this user may not start one there: run this as root");
      const daemon = asNobody(["daemon"], runRoot);
      expect(daemon.status).toBe(1);
      expect(daemon.stderr).toContain("the engine needs root's privileges");
      expect(daemon.stderr).toContain("CAP_SYS_ADMIN");
      expect(existsSync(runRoot)).toBe(false);
    });
  });

  describe("a hostile client", () => {
    const json = (body: string, length = Buffer.byteLength(body)) =>
      "POST /v1.44/containers/create HTTP/1.1\r\nHost: d\r\nConnection: close\r\n" +
      `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n${body}`;
    const cases: [name: string, bytes: string, status: number, text: string][] = [
      ["what is not HTTP", "\0\x01\x02\r\n\r\n", 400, "this is not an HTTP/1.1 request"],
      ["half a header", "GET /v1.44/info HT", 400, "only a part of one"],
      ["half a body", json('{"Image":', 100), 400, "only a part of one"],
      ["a header without end", `GET / HTTP/1.1\r\nX: ${"x".repeat(1e5)}`, 431, "larger than"],
      ["no JSON", json("{nope"), 400, "invalid JSON"],
      ["another kind of JSON", json("[]"), 400, "the body must be an object"],
      ["wrong types", json('{"Image":"x","Cmd":{"a":1}}'), 400, "Cmd"],
      ["a number beyond all", json('{"Image":"x","HostConfig":{"Memory":1e400}}'), 400, "Memory"],
      [
        "JSON as deep as a well",
        json(`{"Labels":${"[".repeat(1e5)}${"]".repeat(1e5)}}`),
        400,
        "nested deeper than",
      ],
      ["a body without end", json(`{"Image":"${"x".repeat(8 << 20)}"}`), 400, "at most"],
      ["a NUL", json(`{"Image":"${image}","Cmd":["a\\u0000b"]}`), 400, "NUL"],
      ["a name with a path", "GET /v1.44/containers/..%2f..%2fx/json HTTP/1.1\r\n", 404, ""],
    ];
    test.each(cases)("%s", async (_, bytes, status, text) => {
      const client = await rawClient(cli.socket);
      client.send(bytes.endsWith("HTTP/1.1\r\n") ? `${bytes}Host: d\r\n\r\n` : bytes);
      client.halfClose();
      const answer = await client.rest();
      client.destroy();
      expect(answer).toStartWith(`HTTP/1.1 ${status} `);
      expect(answer).toContain(text);
      expect(answer).toContain('{"message":');
    });

    test("an archive whose sender goes away", async () => {
      const client = await rawClient(cli.socket);
      client.send(
        "POST /v1.44/images/load HTTP/1.1\r\nHost: d\r\nContent-Type: application/x-tar\r\n" +
          "Transfer-Encoding: chunked\r\n\r\n10000\r\n",
      );
      client.send(imageLayout("gone").subarray(0, 4000));
      await holdings.grown();
      client.destroy();
      await holdings.settled();
    });

    test("nothing is left", nothingLeft);
  });
});

describe.skipIf(!isRoot)("a full disk [needs root]", () => {
  const cli = new ThimbleCli();
  const dataRoot = mkdtempSync("/var/tmp/thimble-full-");
  const env = { THIMBLE_DATA_ROOT: dataRoot };
  const runRoot = join(cli.directory, "run");
  const noSpace = expect.stringMatching(/no space left on (the )?device/);
  let holdings: ReturnType<typeof engineHoldings>;

  beforeAll(async () => {
    expect(spawnSync("mount", ["-t", "tmpfs", "-o", "size=8m", "none", dataRoot]).status).toBe(0);
    await cli.ok(["import", "-c", 'CMD ["sh"]', "-", image], { env, input: busyboxTree() });
    await cli.ok(["run", "--rm", "--network", "none", image, "true"]);
    holdings = engineHoldings({ dataRoot, runRoot });
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    spawnSync("umount", [dataRoot]);
    rmSync(dataRoot, { recursive: true });
  });

  const run = (...args: string[]) => cli.run(["run", "--network", "none", ...args]);
  /** More than there is room for, and no more than that. */
  const fill = "head -c 8000000 /dev/zero > /fill; echo status $?";
  /** Little under compression; zeros would be holes, which take no room. */
  const long = { name: "long", content: "x".repeat(32 << 20) };

  test("load and import store nothing by halves", async () => {
    const large = imageLayout("large", { layer: [long] });
    expect(await cli.run(["load"], { input: large })).toMatchObject({ status: 1, stderr: noSpace });
    const bomb = gzipSync(tarOf([long]));
    expect(bomb.length).toBeLessThan(100_000);
    const ended = await cli.run(["import", "-", "bomb"], { input: bomb });
    expect(ended).toMatchObject({ status: 1, stderr: noSpace });
    expect(await cli.ok(["images", "--format", "{{.Repository}}:{{.Tag}}"])).toBe(image);
    await holdings.settled();
  });

  test("a container that fills it ends, and is gone with all it wrote", async () => {
    const { status, stdout } = await run("--rm", image, "sh", "-c", fill);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "status 1\n" });
    await holdings.settled();
  });

  test("a container that cannot be logged goes on; existing ones can be used and removed", async () => {
    const talk = `echo first; ${fill}; seq 1 5000; echo end > /dev/shm/end; sleep 60`;
    await cli.ok(["run", "-d", "--name", "full", "--network", "none", image, "sh", "-c", talk]);
    while ((await cli.run(["exec", "full", "cat", "/dev/shm/end"])).status !== 0);
    expect(await run("--rm", image, "true")).toMatchObject({ status: 125, stderr: noSpace });
    const scratch = await cli.run(["mkimage", "-t", "new", "scratch", "/bin/busybox"]);
    expect(scratch).toMatchObject({ status: 1, stderr: noSpace });
    const loaded = await cli.run(["load"], { input: imageLayout("small") });
    expect(loaded).toMatchObject({ status: 1, stderr: noSpace });
    expect(await cli.ok(["logs", "full"])).toStartWith("first\n");
    expect(await cli.ok(["ps", "--format", "{{.Names}}"])).toBe("full");
    await cli.ok(["stop", "-t", "0", "full"]);
    expect(await cli.ok(["inspect", "-f", "{{.State.ExitCode}}", "full"])).toBe("137");
    await cli.ok(["rm", "full"]);
    await holdings.settled();
    expect(await run("--rm", image, "echo", "again")).toMatchObject({ status: 0 });
  });
});
