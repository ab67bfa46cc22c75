import { expect, test } from "bun:test";
import { poll } from "#base";
import type { TestServer } from "./testing.ts";
import { testServer } from "./testing.ts";

async function withContainer(): Promise<TestServer> {
  const server = await testServer();
  await server.call("POST", "/containers/create?name=web", { Image: "busybox:test" });
  return server;
}

const path = (of: string) => `/containers/web/archive?path=${encodeURIComponent(of)}`;

test("HEAD and GET tell about a file in Docker's header, and GET gives the archive", async () => {
  await using server = await withContainer();
  for (const method of ["HEAD", "GET"]) {
    const { status, headers } = await server.call(method, path("/link"));
    expect(status).toBe(200);
    const told = Buffer.from(headers.get("x-docker-container-path-stat") ?? "", "base64");
    expect(told.toString()).toBe(
      '{"name":"link","size":4096,"mode":134218239,"mtime":"2023-11-14T22:13:20Z","linkTarget":"/dir"}',
    );
  }
  const { headers, text } = await server.call("GET", path("/dir"));
  expect(headers.get("content-type")).toBe("application/x-tar");
  expect(text).toBe("archive of /dir");
  expect((await server.call("GET", `${path("/dir")}&holes=1`)).text).toEndWith("with holes");
  expect(server.engine.calls).toContain("close /dir");
});

test("PUT hands on the archive and its rules", async () => {
  await using server = await withContainer();
  expect(await server.call("PUT", path("/dir"), "x")).toMatchObject({ status: 200, text: "" });
  const rules = "&noOverwriteDirNonDir=true&copyUIDGID=1";
  expect((await server.call("PUT", `${path("/dir")}${rules}`, "x")).status).toBe(200);
  expect(server.engine.calls).toContain("put /dir 3");
  expect(server.engine.calls).toContain("put /dir 3 keeps user");
});

test("a client that stands still in the middle of an archive is told so, and let go", async () => {
  await using server = await testServer({ stallTime: 20 });
  await server.call("POST", "/containers/create?name=web", { Image: "busybox:test" });
  await server.call("POST", "/volumes/create", { Name: "data" });
  for (const place of [path("/dir"), "/thimble/v1/volumes/data/archive"]) {
    const client = await server.raw();
    client.send(`PUT ${place} HTTP/1.1\r\nHost: d\r\nContent-Length: 1000\r\n\r\nsome`);
    const answer = await client.until("0.02 s");
    expect(answer).toStartWith("HTTP/1.1 500 ");
    expect(answer).toContain("the request body stood still for 0.02 s");
    client.destroy();
  }
  expect(server.engine.calls.filter((call) => /^(put|volume import)/.test(call))).toEqual([]);
});

test("a client that stops reading an archive is cut off", async () => {
  await using server = await testServer({ stallTime: 20 });
  await server.call("POST", "/containers/create?name=web", { Image: "busybox:test" });
  const client = await server.raw();
  client.send(`GET ${path("/endless")} HTTP/1.1\r\nHost: d\r\n\r\n`);
  client.pause();
  const { calls } = server.engine;
  await poll(() => calls.includes("close /endless"), { attempts: 10_000, base: 1, max: 5 });
  expect(calls).toContain("close /endless");
  client.destroy();
});

test.each([
  ["GET", "web/archive", 400, "bad parameter: pathcannot be empty"],
  ["GET", "nope/archive", 400, "bad parameter: pathcannot be empty"],
  ["GET", "nope/archive?path=/", 404, "No such container: nope"],
  ["GET", "web/archive?path=a%00b", 400, "bad parameter: path cannot hold a NUL character"],
  ["GET", "web/archive?path=/nope", 404, "Could not find the file /nope in container web"],
  ["GET", "web/archive?path=/dir/file/x", 500, "lstat /dir/file/x: not a directory"],
  ["PUT", "web/archive?path=/bad", 500, "the archive is damaged"],
])("%s %s is %d: %s", async (method, place, status, message) => {
  await using server = await withContainer();
  expect(await server.call(method, `/containers/${place}`)).toMatchObject({
    status,
    json: { message },
  });
});
