/**
 * Authorization plugins, by the real docker CLI.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2, started with
 * --authorization-plugin conf-first --authorization-plugin conf-second, while both were there.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { issueEngineCertificates } from "#local";
import {
  type AuthorizationPlugin,
  openAuthorizationPlugin,
} from "../support/authorization-plugin.ts";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { freePort } from "../support/free-port.ts";
import { eventually } from "../support/run-container.ts";

const given = process.env.DOCKER_HOST;
const ending = given ? "" : `-${process.pid}`;
const [first, second] = [`conf-first${ending}`, `conf-second${ending}`];
// The reference has a root of its own, around the directory of its socket.
const root = given?.replace(/^unix:\/\//, "").replace(/\/run\/.*$/, "") ?? "";
const places = `${root}/run/docker/plugins`;
const here = describe.skipIf(!dockerPath || !isRoot);

here("authorization plugins [needs docker CLI]", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-authorization-"));
  const configuration = join(directory, "daemon.json");
  let target: DockerTarget;
  let plugins: readonly AuthorizationPlugin[];
  let port: number;
  let clientDirectory: string;

  beforeAll(async () => {
    mkdirSync(places, { recursive: true });
    plugins = await Promise.all(
      [first, second].map((name) => openAuthorizationPlugin(join(places, `${name}.sock`))),
    );
    const certificates = join(directory, "tls");
    const made = { directory: certificates, hosts: ["localhost"], client: "someone", days: 1 };
    ({ clientDirectory } = await issueEngineCertificates(made));
    port = await freePort();
    writeFileSync(configuration, JSON.stringify({ "authorization-plugins": [first, second] }));
    target = await openDockerTarget({
      daemonFlags: [
        ...["--config-file", configuration, "--config-root", directory, "-H"],
        ...[`tcp://127.0.0.1:${port}`, "--tlsverify"],
      ],
    });
    asked();
  });
  afterEach(() => {
    for (const plugin of plugins) plugin.decide(undefined);
    asked();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
    for (const plugin of plugins ?? []) await plugin[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  const asked = () => plugins.map((plugin) => plugin.asked());
  const decide = (at: 0 | 1, decision: Parameters<AuthorizationPlugin["decide"]>[0]) =>
    plugins[at]?.decide(decision);
  const refusal = async (...args: string[]) => {
    const { status, stderr } = await target.docker(args);
    expect(status).not.toBe(0);
    return stderr.trim();
  };
  const send = (path: string, init: RequestInit) =>
    fetch(`http://d${path}`, { unix: target.socket, ...init });

  test("are asked one after the other, before a request and before its answer", async () => {
    const name = target.name();
    const id = await target.ok(["create", "--name", name, image, "true"]);
    // The end of the import before may be told late.
    const [told, again] = asked().map((all) =>
      all.filter(({ RequestUri }) => RequestUri.includes("/containers/create")),
    );
    expect(again).toEqual(told ?? []);
    const [request, answer] = told ?? [];
    expect(request).toMatchObject({
      ...{ verb: "AuthZReq", RequestMethod: "POST" },
      RequestUri: expect.stringMatching(/^\/v1\.\d+\/containers\/create\?name=/),
      RequestHeaders: {
        "Content-Type": "application/json",
        "User-Agent": expect.stringContaining("Docker-Client/"),
      },
    });
    expect(JSON.parse(request?.RequestBody ?? "")).toMatchObject({ Image: image, Cmd: ["true"] });
    expect(answer).toMatchObject({
      ...{ ...request, verb: "AuthZRes" },
      ...{ ResponseStatusCode: 201, ResponseHeaders: { "Content-Type": "application/json" } },
    });
    expect(JSON.parse(answer?.ResponseBody ?? "")).toEqual({ Id: id, Warnings: [] });
    expect(await target.ok(["info", "-f", "{{.Plugins.Authorization}}"])).toBe(
      `[${first} ${second}]`,
    );
  });

  test("refuse a request, which then does nothing", async () => {
    const name = target.name();
    decide(0, ({ RequestBody }) =>
      RequestBody?.includes('"Privileged":true')
        ? { Allow: false, Msg: "no privileges here" }
        : undefined,
    );
    expect(await refusal("run", "--privileged", "--name", name, image, "true")).toContain(
      `Error response from daemon: authorization denied by plugin ${first}: no privileges here`,
    );
    const [, later = []] = asked();
    expect(later).toEqual([]);
    expect(await target.ok(["run", "--rm", "--name", name, image, "echo", "yes"])).toBe("yes");
    decide(1, () => ({ Allow: false }));
    const response = await send("/v1.44/containers/json", {});
    expect(response.status).toBe(403);
    expect(await response.text()).toBe(
      `{"message":"authorization denied by plugin ${second}: "}\n`,
    );
  });

  test("refuse an answer, of which nothing is sent", async () => {
    decide(1, ({ verb, RequestUri }) =>
      verb === "AuthZRes" && RequestUri.includes("/containers/json")
        ? { Allow: false, Msg: "not for you" }
        : undefined,
    );
    const denied = `authorization denied by plugin ${second}: not for you`;
    expect(await refusal("ps")).toBe(`Error response from daemon: ${denied}`);
    const response = await send("/v1.44/containers/json", {});
    expect([response.status, await response.json()]).toEqual([403, { message: denied }]);
    // An error is told whatever a plugin says of it.
    decide(0, ({ verb }) => (verb === "AuthZRes" ? { Allow: false } : undefined));
    expect(await refusal("inspect", "--type", "container", "nope")).toBe(
      "Error response from daemon: No such container: nope",
    );
  });

  test("that fail are told with their own words, and nothing passes", async () => {
    const failed = async (status: number, body: string) => {
      decide(0, () => (response) => response.writeHead(status).end(body));
      const response = await send("/v1.44/containers/json", {});
      expect(response.status).toBe(500);
      return ((await response.json()) as { message: string }).message;
    };
    const failing = `plugin ${first} failed with error: `;
    expect(await failed(500, '{"Err":"boom"}')).toBe(`${failing}AuthZPlugin.AuthZReq: boom`);
    expect(await failed(503, "plain text")).toBe(`${failing}AuthZPlugin.AuthZReq: plain text`);
    expect(await failed(404, "nothing")).toBe(`${failing}AuthZPlugin.AuthZReq: nothing`);
    for (const nonsense of ["<html>", "[]", '{"Allow":"yes"}'])
      expect(await failed(200, nonsense)).toStartWith(failing);
  });

  test("do not see secrets, nor bodies that are not JSON", async () => {
    const secret = { "X-Registry-Auth": "c2VjcmV0", "X-Registry-Config": "c2VjcmV0" };
    const init = { method: "POST", body: '{"username":"a"}' };
    const json = { "Content-Type": "application/json; charset=utf-8" };
    await send("/v1.44/auth?x=1", { ...init, headers: { ...secret, ...json } });
    await send("/v1.44/containers/create", { ...init, headers: { "Content-Type": "text/json" } });
    await send("/v1.44/containers/create", { ...init, headers: json });
    const requests = asked()[0]?.filter(({ verb }) => verb === "AuthZReq") ?? [];
    expect(requests.map(({ RequestBody }) => RequestBody)).toEqual([
      ...[undefined, undefined, init.body],
    ]);
    for (const { RequestHeaders } of requests)
      expect(Object.keys(RequestHeaders ?? {}).join()).not.toMatch(/registry|host/i);
  });

  test("see bodies of up to 4 MiB, and larger ones are refused", async () => {
    const create = async (bytes: number) => {
      const empty = '{"Image":"nope","Env":[""]}';
      const body = empty.replace('""', `"${"x".repeat(bytes - empty.length)}"`);
      const headers = { "Content-Type": "application/json" };
      const response = await send("/v1.44/containers/create", { method: "POST", body, headers });
      return ((await response.json()) as { message: string }).message;
    };
    await create(4 << 20);
    expect(asked()[0]?.[0]?.RequestBody).toHaveLength(4 << 20);
    expect(await create((4 << 20) + 1)).toBe(
      "request body too large for authorization plugin: size exceeds 4194304 bytes",
    );
    expect(asked()[0] ?? []).toEqual([]);
  });

  test("let streams pass, and hear of them when they are over", async () => {
    const name = target.name();
    const input = "y".repeat(300_000);
    const run = ["run", "-i", "--name", name, image, "sh", "-c", "wc -c; echo e >&2; exit 3"];
    expect(await target.docker(run, { input })).toEqual({
      ...{ status: 3, stdout: "300000\n", stderr: "e\n" },
    });
    const heard: string[] = [];
    const isOver = (part: string) => {
      for (const { verb, RequestUri } of asked()[0] ?? [])
        if (RequestUri.includes(part)) heard.push(`${verb} ${part}`);
      return heard.includes(`AuthZRes ${part}`) ? true : undefined;
    };
    // The client may see the end before the plugin hears of it.
    await eventually(() => isOver("/attach"), "the end of the attach");
    expect((await target.docker(["logs", name])).stdout).toBe("300000\n");
    await eventually(() => isOver("/logs"), "the end of the logs");
    expect(heard).toEqual([
      ...["AuthZReq /attach", "AuthZRes /attach", "AuthZReq /logs", "AuthZRes /logs"],
    ]);
    await target.ok(["cp", `${name}:/etc/passwd`, join(target.directory, "passwd")]);
    await target.ok(["cp", join(target.directory, "passwd"), `${name}:/copied`]);
    const second = target.name();
    await target.ok(["run", "-d", "--name", second, image, "sleep", "1000"]);
    const exec = ["exec", "-i", second, "sh", "-c", "read a; echo got $a; exit 4"];
    expect(await target.docker(exec, { input: "this\n" })).toMatchObject({
      ...{ status: 4, stdout: "got this\n" },
    });
    const started = asked()[0]?.find(
      ({ verb, RequestUri }) => verb === "AuthZReq" && RequestUri.includes("/start"),
    );
    expect(started).toBeDefined();
  });

  test.skipIf(given !== undefined)("know clients by their certificates", async () => {
    const env = {
      DOCKER_HOST: `tcp://localhost:${port}`,
      ...{ DOCKER_CERT_PATH: clientDirectory, DOCKER_TLS_VERIFY: "1" },
    };
    const list = async () => {
      await target.ok(["ps"], { env });
      // The end of a stream before may be told late.
      return asked()[0]?.find(({ RequestUri }) => RequestUri.includes("/containers/json"));
    };
    const certificate = readFileSync(join(clientDirectory, "cert.pem"), "utf8");
    expect(await list()).toMatchObject({
      ...{ User: "someone", UserAuthNMethod: "TLS" },
      RequestPeerCertificates: [expect.any(String)],
    });
    const [shown = ""] = (await list())?.RequestPeerCertificates ?? [];
    expect(certificate.trim()).toStartWith(shown.trim());
  });

  test.skipIf(given !== undefined)(
    "are read again on SIGHUP; one that is not there changes nothing",
    async () => {
      const pid = Number(readFileSync(join(target.directory, "run/engine.pid"), "utf8"));
      const events = target.session(["events", "--filter", "type=daemon", "--since", "1"]);
      const reread = async (names: readonly string[], label: string) => {
        const text = JSON.stringify({ "authorization-plugins": names, labels: [`at=${label}`] });
        writeFileSync(configuration, text);
        process.kill(pid, "SIGHUP");
      };
      await reread([second], "one");
      await events.until("at=one");
      decide(0, () => ({ Allow: false }));
      expect(await target.ok(["info", "-f", "{{.Plugins.Authorization}}"])).toBe(`[${second}]`);
      await reread([`missing${ending}`], "missing");
      await reread([second, first], "two");
      await events.until("at=two");
      events.signal("SIGTERM");
      expect((await events.ended).stdout).not.toContain("at=missing");
      expect(await refusal("ps")).toContain(`authorization denied by plugin ${first}`);
    },
  );

  test.skipIf(given !== undefined)("that are missing keep an engine from starting", async () => {
    const flags = ["--authorization-plugin", `missing${ending}`];
    const started = openDockerTarget({ daemonFlags: flags });
    expect(
      await started.then(
        () => "started",
        (error: Error) => error.message,
      ),
    ).toContain(`failed to validate authorization plugin: plugin "missing${ending}" not found`);
  });
});
