import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { join } from "node:path";
import { readTar, TarWriter } from "#tar";
import type { BuildMessage, ContextEntry } from "#wire";
import { runCli } from "../run-cli.ts";
import { testOptions, textSource } from "../testing.ts";

const top = mkdtempSync("/tmp/thimble-run-build-");
const socket = join(top, "engine.sock");
const image = `sha256:${"1".repeat(64)}`;
const result: BuildMessage = { kind: "result", image, exports: [] };

interface Request {
  readonly line: string;
  readonly body: Buffer;
  readonly registries: string;
}

let requests: Request[] = [];
let answers: readonly BuildMessage[] = [];
let wants: (entry: ContextEntry) => boolean = ({ mode }) => mode >= 0o100000;
let exported: Buffer = Buffer.alloc(0);

/** An engine that keeps nothing, and answers builds as it is told. */
const server: Server = createServer(async (request, response) => {
  const { method = "", url = "" } = request;
  const body = await bodyOf(request);
  response.setHeader("Api-Version", "1.51");
  if (url === "/_ping") return response.end("OK");
  const header = request.headers["x-registry-config"];
  const registries = Buffer.from(String(header ?? ""), "base64url").toString();
  requests.push({ line: `${method} ${url.replace(/[0-9a-f]{64}/, "KEY")}`, body, registries });
  if (url.startsWith("/thimble/v1/build/contexts")) {
    if (method === "PUT") return response.writeHead(204).end();
    const lines = url.includes("key=") ? body.toString().trim().split("\n").filter(Boolean) : [];
    const wanted = lines.flatMap((line, at) => (wants(JSON.parse(line)) ? [at] : []));
    return response.end(JSON.stringify({ id: "context-1", wanted }));
  }
  if (url.startsWith("/thimble/v1/build/exports/")) return response.end(exported);
  return response.end(answers.map((each) => `${JSON.stringify(each)}\n`).join(""));
});
await new Promise<void>((resolve) => server.listen(socket, resolve));
afterAll(() => {
  server.close();
  rmSync(top, { recursive: true });
});

let directory = "";
let count = 0;
beforeEach(() => {
  requests = [];
  answers = [result];
  wants = ({ size }) => size > 0;
  directory = join(top, String(count++));
  mkdirSync(directory);
  put("Dockerfile", "FROM scratch\nCOPY a /\n");
});

function put(name: string, text: string) {
  writeFileSync(join(directory, name), text);
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

async function run(words: readonly string[], change: Parameters<typeof testOptions>[0] = {}) {
  const env = { DOCKER_HOST: `unix://${socket}`, HOME: directory, ...change.env };
  const { options, stdout, stderr } = testOptions({ ...change, env });
  const status = await runCli(["build", ...words], options);
  const built = requests.find(({ line }) => line === "POST /thimble/v1/build");
  const body = built && JSON.parse(built.body.toString());
  return { status, out: stdout.text, err: stderr.text, body, registries: built?.registries };
}

describe("the context", () => {
  test("is told as a list, and the files that are wanted are sent", async () => {
    put("a", "the file a");
    put("b", "left out");
    put(".dockerignore", "b\n");
    wants = ({ path }) => path === "a";
    const { status, body } = await run(["-q", directory]);
    expect({ status, lines: requests.map(({ line }) => line) }).toEqual({
      status: 0,
      lines: [
        "POST /thimble/v1/build/contexts?key=KEY",
        "PUT /thimble/v1/build/contexts/context-1",
        "POST /thimble/v1/build",
      ],
    });
    const [list, files] = requests.map((each) => each.body);
    const paths = list
      ?.toString()
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).path);
    expect(paths).toEqual([".dockerignore", "Dockerfile", "a"]);
    expect(await membersOf(files)).toEqual({ a: "the file a" });
    expect(body).toMatchObject({
      context: "context-1",
      dockerfileName: "Dockerfile",
      ignore: "b\n",
    });
    expect(body.dockerfile).toContain("COPY a /");
  });

  test("is not sent when the engine has all of it", async () => {
    wants = () => false;
    await run(["-q", directory]);
    expect(requests.map(({ line }) => line)).not.toContain(
      "PUT /thimble/v1/build/contexts/context-1",
    );
  });

  test("may be absent, with the Dockerfile on standard input", async () => {
    const { body } = await run(["-q", "-"], { stdin: textSource("FROM scratch\n") });
    expect(requests).toHaveLength(1);
    expect(body).toMatchObject({ context: null, dockerfile: "FROM scratch\n" });
  });

  test("may be a tar on standard input, in which the Dockerfile is", async () => {
    const tar = archive({ "x/Dockerfile": "FROM scratch\n" });
    const stdin = {
      ...textSource(),
      read: async function* () {
        yield tar;
      },
    };
    const { body } = await run(["-q", "-f", "x/Dockerfile", "-"], { stdin });
    expect(requests[0]).toMatchObject({ line: "POST /thimble/v1/build/contexts", body: tar });
    expect(body).toMatchObject({ context: "context-1", dockerfileName: "x/Dockerfile" });
    expect(body.dockerfile).toBeUndefined();
  });

  test("may be a repository, which the engine fetches", async () => {
    const url = "https://git.example/a.git#main:sub";
    const { body } = await run(["-q", url]);
    expect(body).toMatchObject({ context: { remote: url }, dockerfileName: "Dockerfile" });
  });

  test("has others beside it", async () => {
    const words = [
      "a=docker-image://debian",
      "b=target:x",
      `c=${directory}`,
      "d=https://e.example/x.tar",
    ];
    const { body } = await run([
      "-q",
      ...words.flatMap((each) => ["--build-context", each]),
      directory,
    ]);
    expect(body.contexts).toEqual({
      a: { image: "debian" },
      b: { target: "x" },
      c: "context-1",
      d: { remote: "https://e.example/x.tar" },
    });
  });
});

test("flags become fields of the request", async () => {
  put("token", "secret\n");
  put(
    "config.json",
    JSON.stringify({
      auths: { "r.example": { auth: Buffer.from("me:pw").toString("base64") } },
      proxies: { default: { httpProxy: "http://proxy" } },
    }),
  );
  put("Dockerfile", "FROM r.example/base AS t\n");
  const words =
    "-t a -t b:1 --build-arg X=1 --build-arg Y --label l=1 --no-cache --pull --network host --shm-size 64m --ulimit nofile=1:2 -m 1g --target t --add-host h:1.2.3.4";
  const secrets = ["--secret", `id=token,src=${directory}/token`, "--secret", "id=e,env=E"];
  const env = { Y: "2", E: "of env", SOURCE_DATE_EPOCH: "7", DOCKER_CONFIG: directory };
  const { body, registries } = await run([...words.split(" "), ...secrets, "-q", directory], {
    env,
  });
  expect(body).toMatchObject({
    tags: ["a", "b:1"],
    buildArgs: {
      SOURCE_DATE_EPOCH: "7",
      X: "1",
      Y: "2",
      HTTP_PROXY: "http://proxy",
      http_proxy: "http://proxy",
    },
    labels: { l: "1" },
    noCache: true,
    pull: true,
    network: "host",
    shmSize: 64 << 20,
    ulimits: [{ Name: "nofile", Soft: 1, Hard: 2 }],
    memory: 1 << 30,
    target: "t",
    extraHosts: ["h:1.2.3.4"],
    secrets: { token: "c2VjcmV0Cg==", e: Buffer.from("of env").toString("base64") },
    epoch: 7,
    outputs: [{ type: "image", attributes: {} }],
  });
  expect(JSON.parse(registries ?? "")).toMatchObject({
    "r.example": { username: "me", password: "pw" },
  });
});

test("a Dockerfile that is no text is refused before anything is sent", async () => {
  put("Dockerfile", "FROM scratch\n\0");
  const { status, err } = await run([directory]);
  expect({ status, sent: requests.length }).toEqual({ status: 1, sent: 0 });
  expect(err).toContain("it is a binary file, and no text");
});

test("a context of git has the time of its commit, unless the environment has one", async () => {
  put("Dockerfile", "FROM scratch\n");
  const who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
  const env = { ...process.env, GIT_COMMITTER_DATE: "1700000000 +0100" };
  for (const args of [
    ["init", "-q"],
    ["add", "."],
    [...who, "commit", "-qm", "first"],
  ])
    expect(Bun.spawnSync(["git", "-C", directory, ...args], { env }).exitCode).toBe(0);
  expect((await run([directory])).body).toMatchObject({ epoch: 1_700_000_000 });
  requests.length = 0;
  const given = { SOURCE_DATE_EPOCH: "7" };
  expect((await run([directory], { env: given })).body).toMatchObject({ epoch: 7 });
});

test("the id goes to standard output with -q, and to the file of --iidfile", async () => {
  const { out, err } = await run([
    "-q",
    "--iidfile",
    `${directory}/id`,
    "--metadata-file",
    `${directory}/meta`,
    "-t",
    "a",
    directory,
  ]);
  expect({ out, err }).toEqual({ out: `${image}\n`, err: "" });
  expect(readFileSync(`${directory}/id`, "utf8")).toBe(image);
  expect(JSON.parse(readFileSync(`${directory}/meta`, "utf8"))).toEqual({
    "containerimage.config.digest": image,
    "containerimage.digest": image,
    "image.name": "docker.io/library/a:latest",
  });
});

test("an output for this machine is fetched", async () => {
  exported = archive({ "bin/x": "program" });
  answers = [{ kind: "result", exports: [{ output: 0, id: "e" }] }];
  const { err } = await run(["-o", `${directory}/out`, "--progress", "plain", directory]);
  expect(readFileSync(`${directory}/out/bin/x`, "utf8")).toBe("program");
  expect(err).toContain("exporting to client directory");
  await run(["-o", `type=tar,dest=${directory}/out.tar`, directory]);
  expect(readFileSync(`${directory}/out.tar`).equals(exported)).toBe(true);
});

test("--explain says of each step that ran why", async () => {
  const step = { kind: "vertex", digest: "a", inputs: [], started: "1", completed: "2" } as const;
  const ran = { ...step, name: "[2/2] COPY a /", reason: "the file a is another one" };
  answers = [{ ...step, digest: "b", name: "[1/2] FROM x", cached: true }, ran, result];
  const { err, body } = await run(["--explain", directory]);
  expect(body.explain).toBe(true);
  expect(err).toEndWith("Why steps ran:\n  [2/2] COPY a /\n    the file a is another one\n");
});

test("a failure ends with the line of the Dockerfile and status 1", async () => {
  const message = 'process "/bin/sh -c false" did not complete successfully: exit code: 1';
  answers = [{ kind: "error", message, ranges: [{ start: 2, end: 2 }], exitCode: 1 }];
  const { status, err } = await run([directory]);
  expect(status).toBe(1);
  expect(err).toContain("Dockerfile:2\n");
  expect(err).toEndWith(`ERROR: failed to build: failed to solve: ${message}\n`);
});

test.each([
  ["--ssh", ["--ssh", "default"], "--ssh is not supported"],
  ["--cache-to", ["--cache-to", "type=gha"], "--cache-to of the type gha is not supported"],
  ["an attestation without a type", ["--attest", "mode=max"], "attestation type not specified"],
  ["an annotation of nothing", ["--annotation", "image:a=b"], 'unknown annotation type "image"'],
  ["a secret without an id", ["--secret", "src=x"], "has no id"],
  ["a secret that is missing", ["--secret", "id=a,src=/nowhere"], "open /nowhere: no such file"],
  ["an unknown flag", ["--taget", "x"], "Did you mean --target?"],
])("%s is refused before anything is sent", async (_, words, message) => {
  const { status, err } = await run([...words, directory]);
  expect(status).not.toBe(0);
  expect(err).toContain(message);
  expect(requests).toEqual([]);
});

async function membersOf(tar: Buffer | undefined): Promise<Record<string, string>> {
  const members: Record<string, string> = {};
  async function* source() {
    yield tar ?? Buffer.alloc(0);
  }
  for await (const entry of readTar(source())) {
    const parts: Uint8Array[] = [];
    for await (const part of entry.body) parts.push(part);
    members[entry.name] = Buffer.concat(parts).toString();
  }
  return members;
}

function archive(files: Readonly<Record<string, string>>): Buffer {
  const parts: Uint8Array[] = [];
  const writer = new TarWriter((bytes) => parts.push(bytes));
  for (const [name, text] of Object.entries(files)) {
    const header = {
      name,
      type: "file",
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 0n,
      linkName: "",
    } as const;
    writer.entry({ ...header, size: text.length }, Buffer.from(text));
  }
  writer.finish();
  return Buffer.concat(parts);
}
