import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { join } from "node:path";
import type { BuildBody, BuildMessage } from "#wire";
import { runCli } from "../run-cli.ts";
import { testOptions } from "../testing.ts";

const top = mkdtempSync("/tmp/thimble-bake-run-");
const socket = join(top, "engine.sock");
const image = `sha256:${"1".repeat(64)}`;

let builds: BuildBody[] = [];
/** What the engine answers to a build of a Dockerfile. */
let answer: (dockerfile: string) => BuildMessage = () => ({ kind: "result", image, exports: [] });

/** An engine that keeps nothing, and answers builds as it is told. */
const server = createServer(async (request, response) => {
  const { url = "" } = request;
  const body = await bodyOf(request);
  response.setHeader("Api-Version", "1.51");
  if (url === "/_ping") return response.end("OK");
  if (url.startsWith("/thimble/v1/build/contexts")) {
    return response.end(JSON.stringify({ id: "context", wanted: [] }));
  }
  const build = JSON.parse(body.toString()) as BuildBody;
  builds.push(build);
  return response.end(`${JSON.stringify(answer(build.dockerfile ?? ""))}\n`);
});
await new Promise<void>((resolve) => server.listen(socket, resolve));
afterAll(() => {
  server.close();
  rmSync(top, { recursive: true });
});

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

beforeEach(() => {
  builds = [];
  answer = () => ({ kind: "result", image, exports: [] });
  for (const name of ["base", "app"]) {
    mkdirSync(join(top, name), { recursive: true });
    writeFileSync(join(top, name, "Dockerfile"), `FROM scratch\nLABEL of=${name}\n`);
  }
});

async function bake(definition: string, ...words: readonly string[]) {
  const file = join(top, "docker-bake.hcl");
  writeFileSync(file, definition.replaceAll("TOP", top));
  const env = { DOCKER_HOST: `unix://${socket}`, HOME: top };
  const { options, stderr } = testOptions({ env });
  const status = await runCli(["bake", "-f", file, ...words], options);
  return { status, err: stderr.text };
}

/** The build of the Dockerfile of a directory. */
function buildOf(name: string): BuildBody | undefined {
  return builds.find(({ dockerfile = "" }) => dockerfile.includes(`of=${name}\n`));
}

describe("bake", () => {
  test("asks for a target with all that is set for it", async () => {
    const { status } = await bake(
      `target "default" {
        context = "TOP/app"
        args = { A = "1" }
        labels = { l = "m" }
        tags = ["a:1", "a:2"]
        target = "t"
        no-cache = true
        network = "none"
        extra-hosts = { h = "10.0.0.1" }
        shm-size = "64m"
        output = ["type=image,push=true"]
      }`,
    );
    expect(status).toBe(0);
    expect(builds).toHaveLength(1);
    expect(buildOf("app")).toMatchObject({
      buildArgs: { A: "1" },
      labels: { l: "m" },
      tags: ["a:1", "a:2"],
      target: "t",
      noCache: true,
      network: "none",
      shmSize: 64 << 20,
      outputs: [{ type: "image", attributes: { push: "true" } }],
    });
  });

  test("builds a linked target first, and gives its image to the other one", async () => {
    const definition = `
      target "base" { context = "TOP/base" }
      target "default" {
        context = "TOP/app"
        contexts = { base = "target:base" }
      }`;
    const { status, err } = await bake(definition);
    expect({
      status,
      names: builds.map(({ dockerfile }) => /of=(\w+)/.exec(dockerfile ?? "")?.[1]),
    }).toEqual({
      status: 0,
      names: ["base", "app"],
    });
    expect(JSON.stringify(buildOf("app")?.contexts)).toContain(image);
    for (const line of err.trim().split("\n")) expect(line).toMatch(/^(?:base|default) \| /);
  });

  test("builds a Dockerfile that stands in the definition", async () => {
    await bake(`target "default" {
      context = "TOP/app"
      dockerfile-inline = "FROM scratch\\nLABEL of=inline\\n"
    }`);
    expect(buildOf("inline")).toMatchObject({ context: "context" });
  });

  test("ends with the status of a target that fails, after the others", async () => {
    answer = (dockerfile) =>
      dockerfile.includes("of=base")
        ? { kind: "error", message: "it broke", ranges: [] }
        : { kind: "result", image, exports: [] };
    const { status, err } = await bake(
      `group "default" { targets = ["a", "b"] }
      target "a" { context = "TOP/base" }
      target "b" { context = "TOP/app" }`,
    );
    expect({ status, count: builds.length }).toEqual({ status: 1, count: 2 });
    expect(err).toContain("it broke");
  });
});
