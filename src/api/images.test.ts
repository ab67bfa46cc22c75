import { expect, test } from "bun:test";
import { Fault } from "#base";
import { fakeImage } from "../../test/support/fake-engine.ts";
import { shortTime } from "./images.ts";
import { type TestServer, testServer } from "./testing.ts";

async function send(
  server: TestServer,
  path: string,
  body: string,
): Promise<{ status: number; lines: unknown[] }> {
  const response = await fetch(`http://d${path}`, { unix: server.socket, method: "POST", body });
  const lines = (await response.text()).split(/\r?\n/).filter((line) => line !== "");
  return { status: response.status, lines: lines.map((line) => JSON.parse(line)) };
}

test("images are listed and inspected as Docker does", async () => {
  await using server = await testServer();
  expect((await server.call("GET", "/images/json")).json).toEqual([
    {
      Containers: 0,
      Created: 1_700_000_000,
      Id: fakeImage.id,
      Labels: null,
      ParentId: "",
      RepoDigests: [],
      RepoTags: ["busybox:test"],
      SharedSize: -1,
      Size: 4096,
    },
  ]);
  expect((await server.call("GET", "/images/busybox:test/json")).json).toMatchObject({
    Id: fakeImage.id,
    Architecture: "amd64",
    Os: "linux",
    RootFS: { Type: "layers", Layers: fakeImage.config.rootfs.diff_ids },
    Config: { Cmd: ["sh"], Env: ["PATH=/bin"], Entrypoint: null },
  });
});

test("a missing image is named with its tag, except where Docker does not", async () => {
  await using server = await testServer();
  const missing = (name: string) => ({ status: 404, json: { message: `No such image: ${name}` } });
  expect(await server.call("GET", "/images/nope/json")).toMatchObject(missing("nope:latest"));
  expect(await server.call("GET", "/images/docker.io/library/nope:1/history")).toMatchObject(
    missing("nope:1"),
  );
  expect(await server.call("DELETE", "/images/example.org/a/b")).toMatchObject(
    missing("example.org/a/b:latest"),
  );
  expect(await server.call("GET", "/images/nope/get")).toMatchObject(missing("nope"));
  expect(await server.call("GET", "/images/get?names=busybox:test&names=nope")).toMatchObject(
    missing("nope"),
  );
});

test("several images are saved at once", async () => {
  await using server = await testServer();
  const saved = await server.call("GET", "/images/get?names=busybox%3Atest&names=busybox:test");
  expect(saved.text).toBe("archive of busybox:test busybox:test");
  expect(saved.headers.get("content-type")).toBe("application/x-tar");
});

test("a load reports its progress, unless quiet, and a failure as its last line", async () => {
  await using server = await testServer();
  const loaded = { stream: "Loaded image: busybox:test\n" };
  expect(await send(server, "/images/load?quiet=1", "a long archive")).toEqual({
    status: 200,
    lines: [loaded],
  });
  expect((await send(server, "/images/load", "a long archive")).lines).toEqual([
    { status: "Loading layer", progressDetail: { current: 14, total: 14 }, id: "abc" },
    loaded,
  ]);
  const failure = "this is not an archive";
  expect(await send(server, "/images/load", "short")).toEqual({
    status: 200,
    lines: [{ errorDetail: { message: failure }, error: failure }],
  });
});

test("an import passes its options on", async () => {
  await using server = await testServer();
  const query =
    "fromSrc=-&repo=a%2Fb&tag=1&message=m&changes=CMD+x&changes=ENV+a%3Db&platform=linux%2Famd64";
  expect(await send(server, `/images/create?${query}`, "tar")).toEqual({
    status: 200,
    lines: [{ status: fakeImage.id }],
  });
  expect(server.engine.calls).toContain(
    'import 3 {"message":"m","reference":"a/b:1","platform":"linux/amd64","changes":["CMD x","ENV a=b"]}',
  );
});

test("a tag keeps the name that the user gave", async () => {
  await using server = await testServer();
  expect(
    (await server.call("POST", "/images/busybox:test/tag?repo=docker.io%2Flibrary%2Ffoo&tag=1"))
      .status,
  ).toBe(201);
  expect(server.engine.calls).toContain(`tag ${fakeImage.id} docker.io/library/foo:1`);
});

test("making an image streams progress, its id at the end, and a failure as the last line", async () => {
  await using server = await testServer();
  const path = "/thimble/v1/images/make?method=scratch&reference=a&cmd=/x";
  expect((await send(server, path, "tar")).lines).toEqual([
    { status: "halfway", progressDetail: {} },
    { aux: { ID: fakeImage.id } },
  ]);
  const failed = await send(
    server,
    "/thimble/v1/images/make?method=debootstrap&reference=a&suite=bookworm&include=b,c",
    "",
  );
  expect(failed.lines.at(-1)).toEqual({
    errorDetail: { message: "the mirror is away" },
    error: "the mirror is away",
  });
  expect(
    await server.call("POST", "/thimble/v1/images/make?method=magic&reference=a"),
  ).toMatchObject({ status: 400 });
  expect(
    await server.call(
      "POST",
      "/thimble/v1/images/make?method=debootstrap&reference=a&suite=..%2Fx",
    ),
  ).toMatchObject({
    status: 400,
    json: { message: expect.stringContaining("invalid query parameter suite") },
  });
});

test("a plan comes as bytes, or described where main can do that", async () => {
  const describePlan = (bytes: Uint8Array, format: string) => `${format}: ${Buffer.from(bytes)}`;
  await using server = await testServer({ describePlan });
  const body = { Image: "busybox:test" };
  const bytes = await server.call("POST", "/thimble/v1/containers/plan", body);
  expect(bytes.headers.get("content-type")).toBe("application/vnd.thimble.plan");
  expect(bytes.text).toBe("plan of busybox:test");
  const text = await server.call("POST", "/thimble/v1/containers/plan?format=text", body);
  expect(text.text).toBe("text: plan of busybox:test");
});

test("names that cannot be are refused as in Docker", async () => {
  await using server = await testServer();
  const refused = (method: string, path: string, message: string) =>
    server
      .call(method, path)
      .then((answer) => expect(answer).toMatchObject({ status: 400, json: { message } }));
  await refused("DELETE", "/images/%20", "image name cannot be blank");
  const digest = `sha256:${"a".repeat(64)}`;
  await refused("POST", "/images/busybox:test/tag?repo=x&tag=a%20b", "invalid tag format");
  await refused(
    "POST",
    `/images/busybox:test/tag?repo=${"a".repeat(64)}&tag=x`,
    `invalid repository name (${"a".repeat(64)}), cannot specify 64-byte hexadecimal strings`,
  );
  await refused(
    "POST",
    `/images/busybox:test/tag?repo=x@${digest}`,
    "cannot import digest reference",
  );
});

test("missing features are named; one object of them is not found", async () => {
  await using server = await testServer();
  expect(await server.call("POST", "/session")).toMatchObject({
    status: 501,
    json: { message: "building images is not supported yet: POST /session" },
  });
  expect(await server.call("GET", "/networks/x")).toMatchObject({
    status: 404,
    json: { message: "network x not found" },
  });
});

test("a body that is not read to its end does not keep the answer back", async () => {
  await using server = await testServer();
  const body = "x".repeat(20 << 20);
  expect((await send(server, "/session", body)).status).toBe(501);
  server.engine.images.load = async (archive) => {
    for await (const chunk of archive)
      throw new Fault("invalid", `bad after ${chunk.byteLength > 0}`);
    return [];
  };
  expect(await send(server, "/images/load", body)).toEqual({
    status: 200,
    lines: [{ errorDetail: { message: "bad after true" }, error: "bad after true" }],
  });
});

test("questions for a platform: an image for another is not found; save and load pass it on", async () => {
  await using server = await testServer();
  const platform = (architecture: string) =>
    `platform=${encodeURIComponent(JSON.stringify({ os: "linux", architecture }))}`;
  for (const path of ["json", "history"]) {
    const ask = (architecture: string) =>
      server.call("GET", `/images/busybox:test/${path}?${platform(architecture)}`);
    expect(await ask("amd64")).toMatchObject({ status: 200 });
    expect(await ask("arm64")).toMatchObject({
      status: 404,
      json: {
        message:
          "image with reference busybox:test was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)",
      },
    });
  }
  const saved = await server.call("GET", `/images/get?names=busybox:test&${platform("arm64")}`);
  expect(saved.text).toBe("archive of busybox:test for linux/arm64");
  await send(server, `/images/load?quiet=1&${platform("arm64")}`, "a long archive");
  expect(server.engine.calls).toContain("load linux/arm64");
  expect(await send(server, "/images/load?platform=a/b/c/d", "a long archive")).toMatchObject({
    status: 400,
  });
});

const noOs = "both OS and Architecture must be provided";
const other = { os: "linux", architecture: "arm64" };
const mismatch =
  "image with reference busybox:test was found but its platform (linux/amd64) does not match the specified platform (linux/arm64)";

test.each([
  ["bad", 400, "failed to parse platform: invalid character 'b' looking for beginning of value"],
  ["{}", 400, noOs],
  ['{"os":"linux"}', 400, noOs],
  [
    '{"os":1}',
    400,
    "failed to parse platform: json: cannot unmarshal number into Go struct field Platform.os of type string",
  ],
  [JSON.stringify(other), 404, mismatch],
])(
  "the platform %s is refused with %i for inspect, push and removal",
  async (text, status, message) => {
    await using server = await testServer();
    const value = encodeURIComponent(text);
    const refused = { status, json: { message } };
    const at = "/v1.50/images/busybox:test";
    expect(await server.call("GET", `${at}/json?platform=${value}`)).toMatchObject(refused);
    expect(await server.call("POST", `${at}/push?platform=${value}`)).toMatchObject(refused);
    expect(await server.call("DELETE", `${at}?platforms=${value}`)).toMatchObject(refused);
    expect(server.engine.calls.filter((call) => /^(push|remove)/.test(call))).toEqual([]);
  },
);

test("manifests and a platform of an image cannot be asked for together", async () => {
  await using server = await testServer();
  const ask = (version: string) =>
    server.call("GET", `/v${version}/images/busybox:test/json?manifests=1&platform=x`);
  expect(await ask("1.49")).toMatchObject({
    status: 400,
    json: { message: "conflicting options: manifests and platform options cannot both be set" },
  });
  expect((await ask("1.48")).status).toBe(200);
});

test("a list before or since a missing image is refused as Docker does", async () => {
  await using server = await testServer();
  const filters = encodeURIComponent(JSON.stringify({ before: ["nope"] }));
  expect(await server.call("GET", `/images/json?filters=${filters}`)).toMatchObject({
    status: 404,
    json: { message: "No such image: nope:latest" },
  });
});

test.each([
  ["2026-01-02T03:04:50.000000000Z", "2026-01-02T03:04:50Z"],
  ["2026-01-02T03:04:05.120000000Z", "2026-01-02T03:04:05.12Z"],
  ["2026-01-02T03:04:05.5+01:00", "2026-01-02T03:04:05.5+01:00"],
  ["2026-01-02T03:04:50Z", "2026-01-02T03:04:50Z"],
])("an image made at %s is shown as Docker does", (created, shown) => {
  expect(shortTime(created)).toBe(shown);
});

test("a removal for a platform leaves an image of another one, from API 1.50 on", async () => {
  await using server = await testServer();
  const remove = (version: string, query: string) =>
    server.call("DELETE", `/v${version}/images/busybox:test?${query}`);
  const arm = `platforms=${encodeURIComponent('{"os":"linux","architecture":"arm64"}')}`;
  const refused = [
    [arm, 404, "its platform (linux/amd64) does not match the specified platform (linux/arm64)"],
    [`${arm}&${arm}`, 400, "multiple platforms are not supported"],
    ["platforms=linux/arm64", 400, "failed to parse platform: invalid character 'l' looking for"],
    ["platforms={}", 400, "both OS and Architecture must be provided"],
  ] as const;
  for (const [query, status, message] of refused) {
    const answer = await remove("1.50", query);
    expect({ query, ...answer }).toMatchObject({ query, status });
    expect(answer.text).toContain(message);
  }
  expect((await remove("1.49", arm)).status).toBe(200);
  expect((await remove("1.50", arm.replace("arm64", "amd64"))).status).toBe(200);
});

test.each([
  ["repo=x:y&tag=z", 201, ["tag x:z"]],
  ["repo=reg.example:5000/x&tag=z", 201, ["tag reg.example:5000/x:z"]],
  ["repo=", 200, []],
  ["", 200, []],
])("tag?%s answers %i", async (query, status, tagged) => {
  await using server = await testServer();
  const answer = await server.call("POST", `/images/busybox:test/tag?${query}`);
  expect(answer.status).toBe(status);
  const names = server.engine.calls.filter((call) => call.startsWith("tag"));
  expect(names.map((call) => call.replace(/ \S*sha256\S*/, ""))).toEqual(tagged);
});
