/**
 * Published ports by the real docker CLI: what is shown, what is refused and in which words.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { freePort, isFree } from "../support/free-port.ts";

const here = describe.skipIf(!dockerPath || !isRoot);
/** What a server at a port of this host says; asked again while it does not listen yet. */
async function hear(port: number): Promise<string> {
  for (;;) {
    const { promise, resolve } = Promise.withResolvers<string>();
    let heard = "";
    const socket = connect({ host: "127.0.0.1", port });
    socket.on("data", (bytes) => {
      heard += String(bytes);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(heard));
    if ((await promise) !== "") return heard;
  }
}

const anywhere = (port: number) => [
  { HostIp: "0.0.0.0", HostPort: `${port}` },
  { HostIp: "::", HostPort: `${port}` },
];

here("published ports [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });
  const run = async (...flags: string[]) => {
    const name = target.name();
    await target.ok(["run", "-d", "--name", name, ...flags, image, "sleep", "100"]);
    return name;
  };
  const inspect = async (name: string, field: string) =>
    JSON.parse(await target.ok(["inspect", "-f", `{{json .${field}}}`, name]));
  const port = async (...args: string[]) => (await target.ok(["port", ...args])).split("\n");
  const column = (name: string) =>
    target.ok(["ps", "-a", "-f", `name=${name}`, "--format", "{{.Ports}}"]);
  const failure = async (...flags: string[]) => {
    const name = target.name();
    const ended = await target.docker(["run", "-d", "--name", name, ...flags, image, "true"]);
    expect(ended.status).toBe(125);
    return { name, message: ended.stderr };
  };

  test("inspect, port and ps show them while the container runs", async () => {
    const [a, b, c] = [await freePort(), await freePort(), await freePort()];
    const flags = ["-p", `${a}:80`, "-p", `127.0.0.1:${b}:81`, "-p", `${c}:53/udp`];
    const name = await run(...flags, "--expose", "99");
    expect(await inspect(name, "NetworkSettings.Ports")).toEqual({
      "53/udp": anywhere(c),
      "80/tcp": anywhere(a),
      "81/tcp": [{ HostIp: "127.0.0.1", HostPort: `${b}` }],
      "99/tcp": null,
    });
    expect(await inspect(name, "HostConfig.PortBindings")).toEqual({
      "53/udp": [{ HostIp: "", HostPort: `${c}` }],
      "80/tcp": [{ HostIp: "", HostPort: `${a}` }],
      "81/tcp": [{ HostIp: "127.0.0.1", HostPort: `${b}` }],
    });
    expect(await port(name)).toEqual([
      ...[`53/udp -> 0.0.0.0:${c}`, `53/udp -> [::]:${c}`],
      ...[`80/tcp -> 0.0.0.0:${a}`, `80/tcp -> [::]:${a}`, `81/tcp -> 127.0.0.1:${b}`],
    ]);
    expect(await port(name, "80")).toEqual([`0.0.0.0:${a}`, `[::]:${a}`]);
    expect(await target.docker(["port", name, "99"])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`No public port '99' published for ${name}`),
    });
    expect(await column(name)).toBe(
      `99/tcp, 0.0.0.0:${c}->53/udp, [::]:${c}->53/udp, ` +
        `0.0.0.0:${a}->80/tcp, [::]:${a}->80/tcp, 127.0.0.1:${b}->81/tcp`,
    );
    const listed = (filter: string) =>
      target.ok(["ps", "-f", filter, "-f", `name=${name}`, "--format", "{{.Names}}"]);
    expect(await listed(`publish=${a}`)).toBe(name);
    expect(await listed("publish=80")).toBe("");
    expect(await listed("expose=99")).toBe(name);
    await target.ok(["stop", "-t", "0", name]);
    expect(await inspect(name, "NetworkSettings.Ports")).toEqual({});
    expect(await column(name)).toBe("");
    expect(await isFree(a)).toBe(true);
    await target.ok(["start", name]);
    expect(await port(name, "80/tcp")).toEqual([`0.0.0.0:${a}`, `[::]:${a}`]);
  });

  test("-P publishes exposed ports, at any port", async () => {
    const name = await run("-P", "--expose", "80", "--expose", "81/udp");
    const ports = await inspect(name, "NetworkSettings.Ports");
    expect(Object.keys(ports).sort()).toEqual(["80/tcp", "81/udp"]);
    const [[first, second]] = [ports["80/tcp"]];
    expect(first).toEqual({ HostIp: "0.0.0.0", HostPort: expect.stringMatching(/^\d{4,5}$/) });
    expect(second).toEqual({ HostIp: "::", HostPort: first.HostPort });
    expect(await inspect(name, "HostConfig.PublishAllPorts")).toBe(true);
  });

  test("a range takes the first free port, and says when all are taken", async () => {
    const first = await freePort();
    const range = ["-p", `${first}-${first + 1}:80`];
    const names = [await run(...range), await run(...range)];
    expect(await port(names[0] ?? "", "80")).toEqual([`0.0.0.0:${first}`, `[::]:${first}`]);
    expect(await port(names[1] ?? "", "80")).toEqual([`0.0.0.0:${first + 1}`, `[::]:${first + 1}`]);
    expect((await failure(...range)).message).toContain(": all ports are allocated");
    await target.ok(["rm", "-f", ...names]);
  });

  test("a port that another container has", async () => {
    const taken = await freePort();
    const holder = await run("-p", `${taken}:80`);
    const { name, message } = await failure("-p", `${taken}:80`);
    const prefix =
      "failed to set up container networking: driver failed programming external connectivity on endpoint ";
    const reason = `: Bind for 0.0.0.0:${taken} failed: port is already allocated`;
    expect(message).toContain(`docker: Error response from daemon: ${prefix}${name} (`);
    expect(message).toContain(reason);
    if (target.ours) expect(message).toContain(`(held by container ${holder})`);
    expect(await inspect(name, "State")).toMatchObject({ Status: "created", ExitCode: 128 });
    expect((await inspect(name, "State")).Error).toContain(reason);
    const answer = await fetch(`http://d/containers/${name}/start`, {
      method: "POST",
      unix: target.socket,
    });
    expect(answer.status).toBe(500);
    expect((await failure("-p", `127.0.0.1:${taken}:80`)).message).toContain(reason);
    await target.ok(["rm", "-f", holder]);
    await target.ok(["start", name]);
  });

  test("a port that a process has, an address that the host lacks, SCTP without the kernel's", async () => {
    await using scope = new AsyncDisposableStack();
    const server = createServer().listen({ port: 0, host: "0.0.0.0" });
    await once(server, "listening");
    scope.defer(() => new Promise((resolve) => server.close(() => resolve())));
    const address = server.address();
    const taken = typeof address === "object" && address ? address.port : 0;
    const { message } = await failure("-p", `${taken}:80`);
    expect(message).toMatch(
      new RegExp(
        `failed to bind host port for 0\\.0\\.0\\.0:${taken}:[0-9.]+:80/tcp: address already in use`,
      ),
    );
    if (target.ours) expect(message).toContain(`(held by process ${process.pid} (`);
    const free = await freePort();
    expect((await failure("-p", `192.0.2.77:${free}:80`)).message).toMatch(
      new RegExp(
        `failed to bind host port for 192\\.0\\.2\\.77:${free}:[0-9.]+:80/tcp: cannot assign requested address`,
      ),
    );
    const sctp = await target.docker(["run", "--rm", "-p", `${free}:80/sctp`, image, "true"]);
    if (sctp.status !== 0)
      expect(sctp.stderr).toContain(
        `error starting userland proxy: failed to listen on 0.0.0.0:${free}: protocol not supported${target.ours ? ": this kernel has no SCTP (module sctp)" : ""}`,
      );
  });

  test("a port follows its container from network to network", async () => {
    const [free, network] = [await freePort(), `${target.name()}-net`];
    await target.ok(["network", "create", network]);
    await using scope = new AsyncDisposableStack();
    scope.defer(() => target.docker(["network", "rm", network]).then(() => undefined));
    const server = ["nc", "-ll", "-p", "80", "-e", "echo", "here"];
    const name = target.name();
    await target.ok(["run", "-d", "--name", name, "-p", `${free}:80`, image, ...server]);
    scope.defer(() => target.docker(["rm", "-f", name]).then(() => undefined));
    expect(await hear(free)).toBe("here\n");
    await target.ok(["network", "connect", network, name]);
    await target.ok(["network", "disconnect", "bridge", name]);
    expect(await hear(free)).toBe("here\n");
    expect(await port(name, "80")).toEqual([`0.0.0.0:${free}`, `[::]:${free}`]);
    await target.ok(["network", "disconnect", network, name]);
    expect(await isFree(free)).toBe(true);
    expect(await inspect(name, "NetworkSettings.Ports")).toEqual({});
  });

  test("networks that cannot publish", async () => {
    const free = await freePort();
    const create = (...flags: string[]) => {
      const name = target.name();
      return target.docker(["create", "--name", name, "-p", `${free}:80`, ...flags, image]);
    };
    expect(await create("--network", "host")).toMatchObject({
      status: 0,
      stderr: "WARNING: Published ports are discarded when using host network mode\n",
    });
    const name = await run();
    expect(await create("--network", `container:${name}`)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(
        "conflicting options: port publishing and the container type network mode",
      ),
    });
    const none = await run("--network", "none", "-p", `${free}:80`);
    expect(await inspect(none, "NetworkSettings.Ports")).toEqual({});
  });

  test("a malformed port is refused when the container is created", async () => {
    const create = async (bindings: unknown) => {
      const answer = await fetch("http://d/containers/create", {
        method: "POST",
        unix: target.socket,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ Image: image, HostConfig: { PortBindings: bindings } }),
      });
      return [answer.status, ((await answer.json()) as { readonly message: string }).message];
    };
    for (const wrong of ["abc", "70000", "9-8"])
      expect(await create({ "80/tcp": [{ HostPort: wrong }] })).toEqual([
        400,
        `invalid port specification: "${wrong}"`,
      ]);
    expect(await create({ "80-82/tcp": [{ HostPort: "8000" }] })).toEqual([
      400,
      'invalid port specification: "80-82"',
    ]);
  });
});
