import { expect, test } from "bun:test";
import { Fault } from "#base";
import { startRefused } from "#engine";
import { type TestServer, testServer } from "./testing.ts";

async function create(
  server: TestServer,
  name: string,
  cmd: readonly string[],
  rest = {},
): Promise<string> {
  const body = { Image: "busybox:test", Cmd: cmd, ...rest };
  const answer = await server.call("POST", `/containers/create?name=${name}`, body);
  expect(answer.status).toBe(201);
  return (answer.json as { Id: string }).Id;
}

test("create refuses malformed bodies, as Docker does", async () => {
  await using server = await testServer();
  const post = async (body: string, type = "application/json") => {
    const headers = { "Content-Type": type };
    const response = await fetch("http://d/containers/create", {
      unix: server.socket,
      method: "POST",
      body,
      headers,
    });
    return [response.status, await response.json()];
  };
  expect(await post("{}", "text/plain")).toEqual([
    400,
    { message: "unsupported Content-Type header (text/plain): must be 'application/json'" },
  ]);
  expect(await post("")).toEqual([
    400,
    { message: "invalid JSON: got EOF while reading request body" },
  ]);
  expect(await post("{}")).toEqual([
    400,
    { message: "config cannot be empty in order to create a container" },
  ]);
  for (const bad of ['{"Image":', "[]", "null", '{"Image":"x"} {}', '{"Image":"\\ud800\xff"'])
    expect((await post(bad))[0]).toBe(400);
  expect(await post('{"Image":"busybox:test","HostConfig":{"Memory":"1g"}}')).toEqual([
    400,
    { message: "invalid JSON: HostConfig.Memory: Invalid input: expected number, received string" },
  ]);
  const deep = `{"Image":"x","A":${"[".repeat(40)}${"]".repeat(40)}}`;
  expect(await post(deep)).toEqual([
    400,
    { message: "invalid JSON: nested deeper than the limit of 32 levels" },
  ]);
  const inText = `{"Image":"nope","A":"\\\\\\"${"[".repeat(40)}"}`;
  expect((await post(inText))[0]).toBe(404);
  const big = `{"Image":"${"x".repeat(5 << 20)}"}`;
  expect((await post(big))[0]).toBe(400);
});

test("create names missing and taken things in Docker's words", async () => {
  await using server = await testServer();
  expect(await server.call("POST", "/containers/create", { Image: "nope" })).toMatchObject({
    status: 404,
    json: { message: "No such image: nope:latest" },
  });
  const id = await create(server, "a", ["true"]);
  expect(
    await server.call("POST", "/containers/create?name=a", { Image: "busybox:test" }),
  ).toMatchObject({
    status: 409,
    json: {
      message: `Conflict. The container name "/a" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    },
  });
});

test("field names are matched whatever their case", async () => {
  await using server = await testServer();
  const answer = await server.call("POST", "/containers/create?name=low", {
    image: "busybox:test",
    cmd: ["x"],
  });
  expect(answer.status).toBe(201);
  expect(server.engine.containers.get("low").argv).toEqual(["x"]);
});

test("every endpoint of one container says that there is no such container", async () => {
  await using server = await testServer();
  const missing = { status: 404, json: { message: "No such container: nope" } };
  for (const path of [
    "json",
    "logs?stdout=1",
    "top",
    "export",
    "changes",
    "stats",
    "archive?path=/",
    "attach/ws",
  ])
    expect(await server.call("GET", `/containers/nope/${path}`)).toMatchObject(missing);
  for (const path of [
    "start",
    "stop",
    "restart",
    "rename?name=b",
    "wait",
    "resize?h=1&w=1",
    "pause",
    "update",
  ])
    expect(await server.call("POST", `/containers/nope/${path}`)).toMatchObject(missing);
  expect(await server.call("POST", "/containers/nope/kill")).toMatchObject({
    status: 404,
    json: { message: "cannot kill container: nope: No such container: nope" },
  });
  expect(await server.call("POST", "/containers/nope/exec", { Cmd: ["x"] })).toMatchObject(missing);
  expect(await server.call("DELETE", "/containers/nope")).toMatchObject(missing);
  expect(await server.call("POST", "/containers/nope/kill")).toMatchObject({
    status: 404,
    json: { message: "cannot kill container: nope: No such container: nope" },
  });
  const attach = await server.call("POST", "/containers/nope/attach");
  expect([attach.status, attach.text]).toEqual([404, "No such container: nope\r\n"]);
  expect(attach.headers.get("Content-Type")).toBe("application/vnd.docker.raw-stream");
});

test("start, stop and kill answer with Docker's statuses", async () => {
  await using server = await testServer();
  const id = await create(server, "a", ["sleep"]);
  expect(await server.call("POST", "/containers/a/kill")).toMatchObject({
    status: 409,
    json: { message: `cannot kill container: a: container ${id} is not running` },
  });
  expect((await server.call("POST", "/containers/a/stop")).status).toBe(304);
  expect((await server.call("POST", "/containers/%2Fa/start")).status).toBe(204);
  const again = await server.call("POST", "/containers/a/start");
  expect([again.status, again.text]).toEqual([304, ""]);
  expect(await server.call("POST", "/containers/a/kill?signal=FOO")).toMatchObject({
    status: 400,
    json: { message: "cannot kill container: a: invalid signal: FOO" },
  });
  expect(await server.call("DELETE", "/containers/a")).toMatchObject({
    status: 409,
    json: {
      message:
        'cannot remove container "a": container is running: stop the container before removing or force remove',
    },
  });
  expect((await server.call("POST", "/containers/a/stop?t=3&signal=INT")).status).toBe(204);
  expect(server.engine.calls).toContain('stop {"timeout":3,"signal":"INT"}');
  expect((await server.call("DELETE", "/containers/a")).status).toBe(204);
});

test.each([
  ["nothing", 'exec: "nothing": executable file not found in $PATH'],
  ["no/where", 'exec: "no/where": stat no/where: no such file or directory'],
  ["/etc", 'exec: "/etc": is a directory: permission denied'],
])(
  "a program that cannot start is told so that a client knows the exit status: %s",
  async (program, why) => {
    await using server = await testServer();
    await create(server, "a", [program]);
    expect(await server.call("POST", "/containers/a/start")).toMatchObject({
      status: 400,
      json: {
        message: `${startRefused}: ${why}`,
      },
    });
  },
);

test("rename refuses what Docker refuses", async () => {
  await using server = await testServer();
  await create(server, "a", ["x"]);
  const other = await create(server, "b", ["x"]);
  const rename = async (query: string) =>
    (await server.call("POST", `/containers/a/rename${query}`)).json;
  expect(await rename("")).toEqual({ message: "Neither old nor new names may be empty" });
  expect(await rename("?name=/a")).toEqual({
    message: "Renaming a container with the same name as its current name",
  });
  expect(await rename("?name=b")).toMatchObject({
    message: expect.stringContaining(`by container "${other}"`),
  });
  expect(await rename("?name=c")).toBeUndefined();
  expect(server.engine.containers.get("c").name).toBe("c");
});

test("wait sends its headers before the end and the status after", async () => {
  await using server = await testServer();
  await create(server, "a", ["sleep"]);
  await server.call("POST", "/containers/a/start");
  const client = await server.raw();
  client.send("POST /containers/a/wait?condition=next-exit HTTP/1.1\r\nHost: d\r\n\r\n");
  const headers = await client.until("\r\n\r\n");
  expect(headers).toStartWith("HTTP/1.1 200 OK");
  expect(headers).not.toContain("StatusCode");
  await server.call("POST", "/containers/a/kill");
  expect(await client.until("StatusCode")).toContain('{"StatusCode":137}');
  client.destroy();
  expect(await server.call("POST", "/containers/a/wait?condition=soon")).toMatchObject({
    status: 400,
    json: { message: 'invalid condition: "soon"' },
  });
});

test("the list has Docker's fields, and the filters are checked", async () => {
  await using server = await testServer();
  const id = await create(server, "a", ["sh", "-c", "x y"], { Labels: { l: "1" } });
  const [summary] = (await server.call("GET", "/containers/json?all=1&size=1")).json as object[];
  expect(summary).toMatchObject({
    Id: id,
    Names: ["/a"],
    Image: "busybox:test",
    Command: "sh -c 'x y'",
    Created: 1_700_000_000,
    State: "created",
    Status: "Created",
    SizeRw: 10,
    SizeRootFs: 4106,
    Labels: { l: "1" },
    HostConfig: { NetworkMode: "bridge" },
  });
  expect((await server.call("GET", "/containers/json")).json).toEqual([]);
  const filter = async (text: string) =>
    (await server.call("GET", `/containers/json?filters=${encodeURIComponent(text)}`)).json;
  expect(await filter('{"foo":["x"]}')).toEqual({ message: "invalid filter 'foo'" });
  expect(await filter("zz")).toEqual({ message: "invalid filter" });
  expect(await filter('{"status":["x"]}')).toMatchObject({
    message: expect.stringContaining("must be one of created, running"),
  });
});

test("a container that is removed while its size is counted does not fail the list", async () => {
  await using server = await testServer();
  await create(server, "a", ["true"]);
  server.engine.containers.size = async () => {
    throw new Fault("not_found", "gone");
  };
  for (const path of ["/containers/json?all=1&size=1", "/system/df"])
    expect((await server.call("GET", path)).status).toBe(200);
});

test("sizes of a terminal are checked", async () => {
  await using server = await testServer();
  await create(server, "a", ["sleep"]);
  await server.call("POST", "/containers/a/start");
  expect((await server.call("POST", "/containers/a/resize?h=x&w=1")).json).toEqual({
    message: 'invalid resize height "x": invalid syntax',
  });
  expect((await server.call("POST", "/containers/a/resize?h=24&w=80")).status).toBe(200);
  expect(server.engine.calls).toContain("resize 24x80");
});

test("a link is removed by the name that it gives, and the container's own name is none", async () => {
  await using server = await testServer();
  await server.call("POST", "/containers/create?name=web", { Image: "busybox:test", Cmd: ["x"] });
  expect(await server.call("DELETE", "/containers/web/mysql?link=1")).toMatchObject({
    status: 204,
  });
  expect(server.engine.calls.at(-1)).toBe("remove link mysql");
  expect(await server.call("DELETE", "/containers/web/mysql")).toMatchObject({
    status: 404,
    json: { message: "No such container: web/mysql" },
  });
  expect(await server.call("DELETE", "/containers/web?link=1")).toMatchObject({ status: 500 });
});
