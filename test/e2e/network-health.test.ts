/** Health checks over the container's own network, and the policy that starts anew what is unhealthy. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const image = "busybox:e2e";

describe.skipIf(!isRoot)("health checks over the network [needs root]", () => {
  const cli = new ThimbleCli();
  beforeAll(async () => {
    await cli.importBusybox(image);
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  const run = (flags: readonly string[], script: string) =>
    cli.ok(["run", "-d", "--health-interval", "50ms", ...flags, image, "sh", "-c", script]);
  const inspect = async (id: string) => JSON.parse(await cli.ok(["inspect", id]))[0];
  const until = async (id: string, wanted: string) => {
    for (;;) {
      const { State } = await inspect(id);
      if (State.Health?.Status === wanted) return State.Health;
      await Bun.sleep(20);
    }
  };
  const serve = "mkdir /www; echo ready > /www/ready; httpd -f -h /www -p 127.0.0.1:8080";

  test("a path that only the container's loopback serves, in an image without a client", async () => {
    const well = await run(
      ["--network", "none", "--health-http", "http://localhost:8080/ready"],
      serve,
    );
    const missing = ["--network", "none", "--health-retries", "1", "--health-http", "8080/missing"];
    const ill = await run(missing, serve);
    const { Log } = await until(well, "healthy");
    expect(Log.at(-1)).toMatchObject({
      ExitCode: 0,
      Output: "localhost:8080/ready: 200 OK\n",
    });
    // Before the server listens a connection is refused; both count.
    for (let last = ""; !last.includes("404"); await Bun.sleep(20)) {
      const health = await until(ill, "unhealthy");
      last = health.Log.at(-1).Output;
    }
    expect((await inspect(ill)).Config.Healthcheck.Test).toEqual(["HTTP", "8080/missing"]);
    await cli.ok(["rm", "-f", well, ill]);
  });

  test("a TCP port, and one that nobody serves", async () => {
    const well = await run(["--network", "none", "--health-tcp", "8080"], serve);
    const ill = await run(
      ["--network", "none", "--health-tcp", "81", "--health-retries", "1"],
      serve,
    );
    expect((await until(well, "healthy")).Log.at(-1).Output).toBe(
      "localhost:8080 takes connections\n",
    );
    expect((await until(ill, "unhealthy")).Log.at(-1)).toMatchObject({
      ExitCode: 1,
      Output: expect.stringContaining("localhost:81: cannot connect in a network namespace"),
    });
    await cli.ok(["rm", "-f", well, ill]);
  });

  test("a server that never answers has failed, and holds up no stop", async () => {
    const flags = ["--network", "none", "--health-http", "8080", "--health-timeout", "100ms"];
    const name = await run(
      [...flags, "--health-retries", "1"],
      "exec nc -ll -p 8080 -e sleep 1000",
    );
    for (let last = ""; !last.includes("timeout"); await Bun.sleep(20))
      last = (await until(name, "unhealthy")).Log.at(-1).Output;
    expect(await cli.ok(["stop", "-t", "0", name])).toBe(name);
    await cli.ok(["rm", "-f", name]);
  });

  describe("gRPC", () => {
    let server: Http2Server;
    let port: number;
    let asked = "";
    let status = 1;
    beforeAll(async () => {
      server = createServer();
      server.on("stream", (stream: ServerHttp2Stream, headers) => {
        stream.on("data", (bytes: Buffer) => {
          asked = bytes.subarray(7).toString();
        });
        stream.on("end", () => {
          const known = headers[":path"] === "/grpc.health.v1.Health/Check";
          stream.respond(
            { ":status": 200, "content-type": "application/grpc" },
            { waitForTrailers: true },
          );
          stream.on("wantTrailers", () =>
            stream.sendTrailers({ "grpc-status": known ? "0" : "12" }),
          );
          stream.end(Buffer.of(0, 0, 0, 0, 2, 8, status));
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      port = (server.address() as AddressInfo).port;
    });
    afterAll(() => {
      server?.close();
    });

    test("a service says by the health protocol whether it serves", async () => {
      const flags = ["--network", "host", "--health-grpc", `${port}/shop.Cart`];
      const id = await run([...flags, "--health-retries", "1"], "sleep 1000");
      expect((await until(id, "healthy")).Log.at(-1).Output).toBe(
        `localhost:${port}/shop.Cart: SERVING\n`,
      );
      expect(asked).toBe("shop.Cart");
      status = 2;
      expect((await until(id, "unhealthy")).Log.at(-1)).toMatchObject({
        ExitCode: 1,
        Output: `localhost:${port}/shop.Cart: NOT_SERVING\n`,
      });
      await cli.ok(["rm", "-f", id]);
    });
  });

  test("--restart unhealthy starts a container anew that is unhealthy, as often as it says", async () => {
    const trap = "trap 'exit 0' TERM; touch /started; while :; do sleep 0.05; done";
    const check = ["--health-cmd", "false", "--health-retries", "2"];
    const id = await run(["--network", "none", ...check, "--restart", "unhealthy:2"], trap);
    for (let count = 0; count < 2; await Bun.sleep(20)) count = (await inspect(id)).RestartCount;
    // The last of its runs goes on.
    await until(id, "unhealthy");
    const { RestartCount, State, HostConfig } = await inspect(id);
    expect([RestartCount, State.Status]).toEqual([2, "running"]);
    expect(HostConfig.RestartPolicy).toEqual({ Name: "unhealthy", MaximumRetryCount: 2 });
    await cli.ok(["stop", "-t", "0", id]);
    expect((await inspect(id)).State.Status).toBe("exited");
    await cli.ok(["rm", id]);
  });

  test("update gives a container that runs another check, changes one of its fields, or ends it", async () => {
    const first = ["--health-cmd", "false", "--health-interval", "1h", "--health-retries", "1"];
    const id = await run(["--network", "none", ...first], serve);
    expect((await inspect(id)).State.Health.Status).toBe("starting");
    expect(await cli.ok(["update", "--health-interval", "50ms", id])).toBe(id);
    await until(id, "unhealthy");
    await cli.ok(["update", "--health-http", "8080/ready", id]);
    expect((await until(id, "healthy")).Log[0].Output).toContain("localhost:8080");
    expect((await inspect(id)).Config.Healthcheck).toEqual({
      Test: ["HTTP", "8080/ready"],
      Interval: 50_000_000,
      Retries: 1,
    });
    const { status, stderr } = await cli.run(["update", "--health-tcp", "0", id]);
    expect([status, stderr]).toEqual([1, expect.stringContaining('"0" is no port')]);
    await until(id, "healthy");
    await cli.ok(["update", "--no-healthcheck", id]);
    expect((await inspect(id)).State.Health).toBeUndefined();
    await cli.ok(["rm", "-f", id]);
  });

  test.each([
    [["--health-tcp", "http"], 'invalid health check: "http" is no port'],
    [["--health-http", "https://localhost"], "only http is supported, not https"],
    [
      ["--health-tcp", "80", "--health-cmd", "true"],
      "conflicting options: --health-cmd and --health-tcp",
    ],
  ])("%j is refused", async (flags, why) => {
    const { status, stderr } = await cli.run(["create", ...flags, image, "true"]);
    expect([status, stderr]).toEqual([1, expect.stringContaining(why)]);
  });
});
