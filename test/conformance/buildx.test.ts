/**
 * docker buildx and compose, unmodified, before BuildKit's protocol with a solver that carries nothing
 * out: what they send and are told, not what a build makes of it.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Fault } from "#base";
import { type BuildKitServer, openBuildKitServer } from "../support/buildkit-server.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";

const buildx = dockerPlugin("docker-buildx");
const compose = dockerPlugin("docker-compose");

describe.skipIf(!buildx || !compose)("clients of BuildKit [needs docker-buildx]", () => {
  let server: BuildKitServer;
  let act: (text: string) => Promise<void>;
  const seen: { dockerfile: string; secret: string }[] = [];

  beforeAll(async () => {
    server = await openBuildKitServer(async ({ dockerfile = "", client, report }) => {
      const secret = await client.secret("token").then(String, (error: Fault) => error.code);
      seen.push({ dockerfile, secret });
      const time = 1_700_000_000_000_000_000n;
      const vertex = { kind: "vertex", digest: `sha256:${"a".repeat(64)}`, inputs: [] } as const;
      report({ ...vertex, name: "[1/1] RUN echo", started: time });
      const data = Buffer.from("said by the step\n");
      report({ kind: "log", vertex: vertex.digest, stream: 1, data, time });
      report({ ...vertex, name: "[1/1] RUN echo", started: time, completed: time });
      await act(dockerfile);
    });
    const context = join(server.directory, "app");
    mkdirSync(join(context, "src/deep"), { recursive: true });
    writeFileSync(join(context, "Dockerfile"), "FROM scratch\nCOPY . /\n");
    writeFileSync(join(context, ".dockerignore"), "*.log\n!keep.log\nschön\n");
    for (const name of ["a.log", "keep.log", "schön", "src/main.c", "src/deep/x"])
      writeFileSync(join(context, name), name);
    symlinkSync("../../etc/passwd", join(context, "link"));
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  async function run(program: string | undefined, args: readonly string[], input = "") {
    act = async () => undefined;
    return await start(program, args, input);
  }

  async function start(program: string | undefined, args: readonly string[], input = "") {
    const child = spawn(program ?? "", args, {
      cwd: server.directory,
      env: { ...process.env, HOME: server.directory, DOCKER_HOST: server.host, TOKEN: "s3cret" },
    });
    let output = "";
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (bytes) => {
        output += bytes;
      });
    child.stdin.end(input);
    const { promise, resolve } = Promise.withResolvers<number>();
    child.once("close", (code) => resolve(code ?? -1));
    return { status: await promise, output };
  }

  const plain = ["build", "--progress", "plain"];

  test("a build sends the Dockerfile, the files that are not left out, and secrets when asked", async () => {
    const args = [...plain, "-t", "app:1", "--secret", "id=token,env=TOKEN", "app"];
    const { status, output } = await run(buildx, args);
    expect(output).toContain("said by the step");
    expect(output).toContain("[internal] load build definition from Dockerfile");
    expect(status).toBe(0);
    expect(seen.at(-1)).toEqual({ dockerfile: "FROM scratch\nCOPY . /\n", secret: "s3cret" });
    expect(server.solver.files.at(-1)).toEqual([
      ...[".dockerignore", "Dockerfile", "keep.log", "link"],
      ...["src", "src/deep", "src/deep/x", "src/main.c"],
    ]);
    const { type, attributes } = server.solver.exports.at(-1) ?? {};
    expect([type, attributes?.get("name")]).toEqual(["moby", "app:1"]);
  });

  test("options reach the build as they are meant", async () => {
    const args = [
      ...[...plain, "--target", "t", "--build-arg", "A=1", "--label", "l=v", "--network", "none"],
      ...[
        "--add-host",
        "h:1.2.3.4",
        "--add-host",
        "gw:host-gateway",
        "--ulimit",
        "nofile=1:2",
        "--shm-size",
        "1m",
        "--no-cache",
      ],
      ...["--platform", "linux/arm64", "--build-context", "other=docker-image://alpine", "--pull"],
      ...["--build-context", "files=app/src", "--allow", "security.insecure", "app"],
    ];
    expect((await run(buildx, args)).status).toBe(0);
    const request = server.solver.requests.at(-1);
    expect(request).toMatchObject({
      ...{ target: "t", network: "none", noCache: true, pull: true, shmSize: 1 << 20 },
      ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
      ...{ extraHosts: ["h:1.2.3.4", "gw:192.0.2.1"], entitlements: ["security.insecure"] },
      platforms: [{ os: "linux", architecture: "arm64" }],
    });
    expect([...(request?.buildArgs ?? [])]).toEqual([["A", "1"]]);
    expect([...(request?.labels ?? [])]).toEqual([["l", "v"]]);
    expect(request?.contexts.get("other")).toEqual({ kind: "image", reference: "alpine" });
    expect(request?.contexts.get("files")).toMatchObject({ kind: "client" });
  });

  test("what did not change is not sent again, and what is gone goes", async () => {
    const context = join(server.directory, "app");
    rmSync(join(context, "src/deep"), { recursive: true });
    writeFileSync(join(context, "src/main.c"), "changed");
    utimesSync(join(context, "src/main.c"), 1, 1);
    const copy = readdirSync(server.copies)
      .map((name) => join(server.copies, name, "files"))
      .find((path) => readdirSync(path).includes("src"));
    if (!copy) throw new Error("no copy is kept");
    // Were it sent again, it would be as the client has it.
    const kept = join(copy, "keep.log");
    writeFileSync(kept, "KEEP.log");
    utimesSync(kept, ...stampOf(join(context, "keep.log")));
    expect((await run(buildx, [...plain, "app"])).status).toBe(0);
    expect(readFileSync(kept, "utf8")).toBe("KEEP.log");
    expect(readFileSync(join(copy, "src/main.c"), "utf8")).toBe("changed");
    expect(readdirSync(join(copy, "src"))).toEqual(["main.c"]);
  });

  test("a failure is shown with its lines of the Dockerfile", async () => {
    const { DockerfileFault } = await import("../../src/dockerfile/fault.ts");
    act = () => Promise.reject(new DockerfileFault("it went wrong", [{ start: 2, end: 2 }]));
    const { status, output } = await start(buildx, [...plain, "app"]);
    expect(output).toContain("   2 | >>> COPY . /");
    expect(output).toContain("ERROR: failed to build: failed to solve: it went wrong");
    expect(status).toBe(1);
  });

  test("a client that leaves ends its build", async () => {
    const begun = Promise.withResolvers<void>();
    act = async () => {
      begun.resolve();
      await new Promise(() => undefined);
    };
    const running = spawn(buildx ?? "", [...plain, "app"], {
      cwd: server.directory,
      env: { ...process.env, HOME: server.directory, DOCKER_HOST: server.host },
    });
    await begun.promise;
    const signal = server.solver.requests.at(-1)?.signal;
    const ended = Promise.withResolvers<void>();
    signal?.addEventListener("abort", () => ended.resolve());
    running.kill("SIGKILL");
    await ended.promise;
  });

  test("a context on standard input, and a Dockerfile there", async () => {
    const tar = Bun.spawnSync(["tar", "-C", join(server.directory, "app"), "-c", "."]).stdout;
    expect((await run(buildx, [...plain, "-"], tar.toString("latin1"))).status).toBe(0);
    expect(server.solver.requests.at(-1)?.context.kind).toBe("upload");
    expect((await run(buildx, [...plain, "-f", "-", "app"], "FROM busybox\n")).status).toBe(0);
    expect(seen.at(-1)?.dockerfile).toBe("FROM busybox\n");
  });

  test("a bake file whose target is built on another's result", async () => {
    writeFileSync(
      join(server.directory, "docker-bake.json"),
      JSON.stringify({
        target: {
          base: { context: "app" },
          default: { context: "app", contexts: { base: "target:base" }, tags: ["linked:1"] },
        },
      }),
    );
    const { status, output } = await run(buildx, ["bake", "--progress", "plain"]);
    expect([status, output]).toEqual([0, expect.stringContaining("[base internal] load")]);
    expect(server.solver.requests.at(-1)?.contexts.get("base")).toMatchObject({ kind: "result" });
  });

  test("a Dockerfile is checked and outlined without a build", async () => {
    const before = server.solver.requests.length;
    const file = "FROM scratch AS Upper\n# what it is for\nARG KIND=a\nENV K=$KIND\n";
    const call = (name: string) => run(buildx, ["build", "--call", name, "-f", "-", "app"], file);
    const checked = await call("check");
    expect(checked.output).toContain("WARNING: StageNameCasing");
    expect(checked.status).toBe(1);
    expect((await call("outline")).output).toMatch(/KIND +a/);
    expect((await call("targets")).output).toContain("upper (default)");
    expect((await call("other")).output).toContain("unsupported request frontend.other");
    expect(server.solver.requests).toHaveLength(before);
  });

  test("another frontend is refused by its name", async () => {
    const args = ["build", "--progress", "plain", "--build-arg", "BUILDKIT_SYNTAX=example.com/own"];
    const { status, output } = await run(buildx, [...args, "app"]);
    expect(output).toContain("the frontend example.com/own is not supported");
    expect(status).toBe(1);
  });

  test("a builder of the remote driver: HTTP/2 without a question, and a session in a stream", async () => {
    const name = ["--builder", "remote"];
    const made = await run(buildx, [
      "create",
      "--name",
      "remote",
      "--driver",
      "remote",
      server.host,
    ]);
    expect(made).toMatchObject({ status: 0 });
    const built = await run(buildx, [...plain, ...name, "-o", "type=cacheonly", "app"]);
    expect([built.status, built.output]).toEqual([0, expect.stringContaining("said by the step")]);
  });

  test("compose builds its services, by itself and by bake", async () => {
    const file = "services:\n  a:\n    build: app\n  b:\n    build: app\n";
    writeFileSync(join(server.directory, "compose.yaml"), file);
    for (const bake of ["false", "true"]) {
      process.env.COMPOSE_BAKE = bake;
      const { status } = await run(compose, ["-p", "conf", "build"]);
      expect(status).toBe(0);
    }
    delete process.env.COMPOSE_BAKE;
    const names = server.solver.exports.slice(-2).map(({ attributes }) => attributes.get("name"));
    expect(names.toSorted()).toEqual(["conf-a", "conf-b"]);
  });

  test("the history, the workers and the disk's use are told", async () => {
    const history = await run(buildx, ["history", "ls"]);
    expect(history).toMatchObject({ status: 0, output: expect.stringContaining("Completed") });
    const inspect = await run(buildx, ["inspect"]);
    expect(inspect).toMatchObject({ status: 0, output: expect.stringContaining("linux/amd64") });
    expect(await run(buildx, ["du"])).toMatchObject({ status: 0 });
    expect(await run(buildx, ["prune", "-f"])).toMatchObject({ status: 0 });
    expect(server.logged.filter((line) => line.includes('"error"'))).toEqual([]);
  });
});

function stampOf(path: string): [Date, Date] {
  const { atime, mtime } = statSync(path);
  return [atime, mtime];
}
