/**
 * The projects of examples/, built from a registry on loopback by `thimble build` and by docker
 * buildx, and called. All of them in `npm run test:long`; else those that download little.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, lutimesSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { inParallel } from "#base";
import { rounds } from "../../src/base/testing.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";
import { freePort } from "../support/free-port.ts";
import { openPackageProxy, type PackageProxy } from "../support/package-proxy.ts";
import { type RunningRegistry, runProgram, startRegistry } from "../support/registry-process.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const directory = join(import.meta.dir, "../../examples");
const all = readdirSync(directory, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => name);
const small = ["clickme", "redis", "static-site"];
const chosen = [...small, ...all.filter((name) => !small.includes(name))].slice(
  0,
  rounds(small.length, all.length),
);
const when = (name: string) => test.skipIf(!chosen.includes(name));

describe.skipIf(!isRoot)("examples [needs root]", () => {
  const cli = new ThimbleCli();
  let registry: RunningRegistry;
  let packages: PackageProxy;
  const ids = new Map<string, string>();

  beforeAll(async () => {
    registry = await startRegistry([]);
    packages = await openPackageProxy();
    const base = `${registry.host}/debian:bookworm`;
    await using maker = new ThimbleCli();
    await maker.ok(["mkimage", "-q", "-t", base, "debootstrap", "bookworm"]);
    await maker.ok(["push", "-q", base]);
    await inParallel(chosen, 2, async (name) => {
      ids.set(name, await build(cli, name, join(directory, name)));
    });
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    await packages?.[Symbol.asyncDispose]();
    await registry?.[Symbol.asyncDispose]();
  });

  /** What `docker build` would be told as well: where the base is, and a proxy. */
  const buildFlags = () => [
    ...["--build-context", `debian:bookworm=docker-image://${registry.host}/debian:bookworm`],
    ...["--add-host", "packages:host-gateway"],
    ...["--build-arg", `http_proxy=http://packages:${packages.port}`],
  ];
  const environment = { SOURCE_DATE_EPOCH: "1700000000" };

  async function build(where: ThimbleCli, name: string, context: string): Promise<string> {
    const args = ["build", "-q", "-t", name, ...buildFlags(), context];
    return await where.ok(args, { env: environment });
  }

  /** A container of an example, that others reach on its port; its address. */
  async function start(name: string, port: number, ...flags: string[]): Promise<string> {
    const publish = ["-p", `127.0.0.1::${port}`];
    await cli.ok(["run", "-d", "--name", `${name}-test`, ...publish, ...flags, name]);
    return await cli.ok(["port", `${name}-test`, String(port)]);
  }

  test("the README has each of them, and how to run it", () => {
    const table = readFileSync(join(directory, "README.md"), "utf8");
    for (const name of all) {
      expect(table).toContain(`[${name}](${name})`);
      expect(readFileSync(join(directory, name, "README.md"), "utf8")).toMatch(
        /thimble (build|compose)/,
      );
    }
  });

  test("another data root makes the same images, of files with other times", async () => {
    await using other = new ThimbleCli();
    const again = new Map<string, string>();
    await inParallel(chosen, 2, async (name) => {
      const copy = join(other.directory, name);
      cpSync(join(directory, name), copy, { recursive: true });
      for (const path of readdirSync(copy, { recursive: true, encoding: "utf8" }))
        lutimesSync(join(copy, path), 1_800_000_000, 1_800_000_000);
      again.set(name, await build(other, name, copy));
    });
    expect(again).toEqual(ids);
  });

  const buildx = dockerPlugin("docker-buildx");
  test.skipIf(!buildx)("docker buildx makes the same images [needs docker-buildx]", async () => {
    for (const name of chosen.slice(rounds(-1, 0))) {
      const args = ["build", "-q", ...buildFlags(), join(directory, name)];
      const env = { ...environment, DOCKER_HOST: `unix://${cli.socket}` };
      const { stdout, stderr } = await runProgram([buildx ?? "", ...args], { env });
      expect({ name, id: stdout.trim(), stderr }).toEqual({
        name,
        id: ids.get(name) ?? "",
        stderr: "",
      });
    }
  });

  when("static-site")("static-site serves the pages that a stage made", async () => {
    const site = await start("static-site", 80);
    expect(await ask(site)).toContain("Notes");
    expect(await exitOf("static-site", "SIGQUIT")).toBe(0);
  });

  when("nginx")("nginx answers without root, and logs to the container's log", async () => {
    const web = await start("nginx", 8080, "--read-only", "--tmpfs", "/tmp");
    expect(await ask(web)).toContain("Served as www-data");
    expect(await ask(web, "/health")).toBe("well\n");
    const moved = await fetch(`http://${web}/old/x`, { redirect: "manual" });
    expect([moved.status, moved.headers.get("location")]).toEqual([301, `http://${web}/new/`]);
    expect((await cli.run(["logs", "nginx-test"])).stdout).toContain('"GET /health HTTP/1.1" 200');
    expect(await cli.ok(["exec", "nginx-test", "id", "-un"])).toBe("www-data");
    expect(await exitOf("nginx", "SIGQUIT")).toBe(0);
  });

  when("redis")("redis keeps its data across a restart and in another container", async () => {
    const answer = (...words: string[]) =>
      inside("redis", ["redis-cli", ...words], /^(?!.*(?:refused|LOADING))/);
    await start("redis", 6379, "-v", "redis-data:/data");
    expect(await answer("set", "greeting", "hello")).toBe("OK");
    await cli.ok(["restart", "redis-test"]);
    expect(await answer("get", "greeting")).toBe("hello");
    expect(await exitOf("redis", "SIGTERM")).toBe(0);
    await cli.ok(["rm", "redis-test"]);
    await start("redis", 6379, "-v", "redis-data:/data");
    expect(await answer("get", "greeting")).toBe("hello");
    await cli.ok(["rm", "-f", "redis-test"]);
  });

  when("clickme")("clickme counts clicks in redis", async () => {
    await cli.ok(["network", "create", "clicks"]);
    await cli.ok([
      "run",
      "-d",
      "--name",
      "counter",
      "--net",
      "clicks",
      "--net-alias",
      "redis",
      "redis",
    ]);
    const web = await start("clickme", 4567, "--net", "clicks");
    await clickThrice(web);
    await cli.ok(["rm", "-f", "clickme-test", "counter"]);
  });

  const compose = dockerPlugin("docker-compose");
  when("clickme")("clickme as docker compose runs it [needs docker-compose]", async () => {
    if (!compose) return;
    const port = await freePort();
    const env = { DOCKER_HOST: `unix://${cli.socket}`, PORT: String(port) };
    const project = (...words: string[]) =>
      runProgram([compose, "-f", join(directory, "clickme/compose.yaml"), ...words], { env });
    expect(await project("up", "-d")).toMatchObject({ status: 0 });
    await clickThrice(`127.0.0.1:${port}`);
    expect(await project("down", "-v")).toMatchObject({ status: 0 });
  });

  when("postgres")("PostgreSQL makes its cluster, keeps it, and stops cleanly", async () => {
    const data = ["-v", "postgres-data:/data"];
    const sql = (text: string) =>
      inside(
        "postgres",
        ["psql", "-U", "postgres", "-tAqc", text],
        /^(?!.*(?:No such file|starting up|shutting down))/,
      );
    await start("postgres", 5432, ...data, "-e", "POSTGRES_PASSWORD=secret");
    await sql("create table t (n int); insert into t select generate_series(1, 1000)");
    await cli.ok(["restart", "postgres-test"]);
    expect(await sql("select sum(n) from t")).toBe("500500");
    expect(await exitOf("postgres", "SIGTERM")).toBe(0);
    await cli.ok(["rm", "postgres-test"]);
    await start("postgres", 5432, ...data);
    expect(await sql("select count(*) from t")).toBe("1000");
    const asUser = [
      "sh",
      "-c",
      'PGPASSWORD=$0 psql -h "$(hostname -i)" -U postgres -tAqc "select 7"',
    ];
    expect(await cli.ok(["exec", "postgres-test", ...asUser, "secret"])).toBe("7");
    const wrong = await cli.run(["exec", "postgres-test", ...asUser, "wrong"]);
    expect(wrong.stderr).toContain("password authentication failed");
    await cli.ok(["stop", "postgres-test"]);
    expect(await cli.ok(["wait", "postgres-test"])).toBe("0");
    const { status, stderr } = await cli.run(["run", "--rm", "postgres"]);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringContaining("needs a password"),
    });
  });

  const answers: readonly {
    name: string;
    port: number;
    path: string;
    body?: string;
    answer: RegExp;
  }[] = [
    { name: "c-scratch", port: 8080, path: "/", answer: /^hello from C\n$/ },
    { name: "go", port: 8080, path: "/1994", answer: /^MCMXCIV\n$/ },
    {
      name: "java",
      port: 8080,
      path: "/Europe/Paris",
      answer: /^\d{4}-\d\d-.*\[Europe\/Paris\]\n$/,
    },
    {
      name: "python-service",
      port: 8000,
      path: "/count",
      body: "to be or not to be",
      answer: /"to":2/,
    },
    {
      name: "node-web",
      port: 3000,
      path: "/sign?name=%3CAda%3E",
      body: "",
      answer: /<li>&lt;Ada&gt;<\/li>/,
    },
  ];
  for (const { name, port, path, body, answer } of answers) {
    when(name)(`${name} answers`, async () => {
      const address = await start(name, port);
      const init = body === undefined ? {} : { method: "POST", body };
      expect(await ask(address, path, init)).toMatch(answer);
      await cli.ok(["rm", "-f", `${name}-test`]);
    });
  }

  /** The body of an answer, as soon as the program of the container listens. */
  async function ask(address: string, path = "/", init: RequestInit = {}): Promise<string> {
    for (;;) {
      const answer = await fetch(`http://${address}${path}`, init).catch(() => undefined);
      if (answer) return await answer.text();
      await Bun.sleep(50);
    }
  }

  /** What a command in the container prints, as soon as that is an answer and not that its server is not there yet. */
  async function inside(name: string, command: readonly string[], answer: RegExp): Promise<string> {
    for (;;) {
      const { status, stdout, stderr } = await cli.run(["exec", `${name}-test`, ...command]);
      if (answer.test(`${stdout}${stderr}`.replaceAll("\n", " "))) {
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
        return stdout.trim();
      }
      await Bun.sleep(50);
    }
  }

  /** The status with which a container ends that is asked to. */
  async function exitOf(name: string, signal: string): Promise<number> {
    await cli.ok(["kill", "-s", signal, `${name}-test`]);
    return Number(await cli.ok(["wait", `${name}-test`]));
  }

  async function clickThrice(address: string): Promise<void> {
    expect(await ask(address)).toContain("<output>0</output>");
    for (let count = 0; count < 3; count++) await ask(address, "/click", { method: "POST" });
    expect(await ask(address)).toContain("<output>3</output>");
  }
});
