import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli } from "../run-cli.ts";
import { testOptions } from "../testing.ts";

const directory = mkdtempSync(join(tmpdir(), "compose-build-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = join(directory, "compose.yaml");

async function printed(services: string, ...words: string[]) {
  writeFileSync(file, `name: shop\n${services}`);
  const { options, stdout, stderr } = testOptions({});
  const status = await runCli(["compose", "-f", file, "build", "--print", ...words], options);
  return { status, err: stderr.text, ...(status === 0 && JSON.parse(stdout.text || "{}")) };
}

test("a service becomes the target that docker compose makes of it", async () => {
  const { target, group } = await printed(`services:
  web:
    platform: linux/amd64
    build:
      context: .
      args: {A: "1", NOT_SET: null}
      labels: {x: y}
      tags: ["shop:extra"]
      cache_from: ["type=local,src=/x"]
      extra_hosts: ["h=1.2.3.4"]
      shm_size: 64m
      ulimits: {nofile: {soft: 1, hard: 2}, nproc: 5}
      secrets: [token]
      ssh: [default]
      additional_contexts: {below: "service:api"}
  api: {image: "api:1", build: {context: sub, dockerfile: D.x}}
secrets: {token: {environment: TOKEN}}
`);
  expect(group.default.targets).toEqual(["api", "web"]);
  expect(target.api).toMatchObject({
    context: join(directory, "sub"),
    dockerfile: "D.x",
    tags: ["api:1"],
    output: [{ type: "docker" }],
  });
  expect(target.web).toMatchObject({
    contexts: { below: "target:api" },
    args: { A: "1" },
    labels: { "com.docker.compose.service": "web", x: "y" },
    tags: ["shop:extra", "shop-web"],
    platforms: ["linux/amd64"],
    "shm-size": "67108864",
    ulimits: ["nofile=1:2", "nproc=5"],
    "extra-hosts": { h: "1.2.3.4" },
  });
});

test("flags count for all services", async () => {
  const words = [
    "--push",
    "--no-cache",
    "--pull",
    "--build-arg",
    "Z=1",
    "--provenance",
    "mode=max",
  ];
  const { target } = await printed("services: {api: {build: .}}", ...words);
  expect(target.api).toMatchObject({
    ...{ args: { Z: "1" }, "no-cache": true, pull: true, output: [{ type: "registry" }] },
    attest: [{ type: "provenance", mode: "max" }],
  });
});

test("a context that no build makes is refused", async () => {
  const services =
    "services: {a: {build: {context: ., additional_contexts: {b: 'service:b'}}}, b: {image: i}}";
  const { status, err } = await printed(services);
  expect({ status, err }).toEqual({
    status: 1,
    err: 'service "a" declares non-buildable service "b" as additional contexts b\n',
  });
});
