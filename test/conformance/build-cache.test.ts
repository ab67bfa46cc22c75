/**
 * --cache-from and --cache-to of docker buildx and of thimble build, over a registry of our own on
 * loopback: two engines that have nothing in common but what was left there.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "#base";
import { openRegistryService } from "#registry-server";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";

const buildx = dockerPlugin("docker-buildx");
const compose = dockerPlugin("docker-compose");
const here = describe.skipIf(!buildx || !compose || !dockerPath || !isRoot);
const tool = join(import.meta.dir, "../../src/main/tool.ts");
const thimble = `${process.execPath} ${tool}`;
const secret = "s3cret-of-the-client";

here("caches of builds elsewhere [needs docker-buildx]", () => {
  let first: DockerTarget;
  let service: Awaited<ReturnType<typeof openRegistryService>>;
  let registry: string;
  let app: string;
  let second: DockerTarget;

  beforeAll(async () => {
    [first, second] = await Promise.all([openDockerTarget(), openDockerTarget()]);
    service = await openRegistryService({
      ...{ address: { host: "127.0.0.1", port: 0 }, version: "test", web: false, log: silentLog },
      root: join(first.directory, "registry"),
    });
    registry = new URL(service.url).host;
    await first.ok(["tag", image, `${registry}/base`]);
    await first.ok(["push", `${registry}/base`]);
    app = join(first.directory, "app");
    mkdirSync(app);
    writeFileSync(join(app, "in.txt"), "from the context\n");
    writeFileSync(join(app, "token"), secret);
    writeFileSync(join(app, ".dockerignore"), "token\n");
    writeFileSync(
      join(app, "Dockerfile"),
      [
        `FROM ${registry}/base AS made`,
        "COPY --chmod=600 in.txt /in.txt",
        "RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length; echo ran; cat /proc/sys/kernel/random/uuid > /when",
        "RUN test -e /length",
        `FROM ${registry}/base`,
        "WORKDIR /work",
        "COPY --from=made /length /when /",
        "",
      ].join("\n"),
    );
  });
  afterAll(async () => {
    await second?.[Symbol.asyncDispose]();
    await first?.[Symbol.asyncDispose]();
    await service?.close();
  });

  /** The second engine, without images and caches. */
  async function freshEngine(): Promise<DockerTarget> {
    await second.shell("docker rmi -f $(docker images -qa)", second.directory);
    await second.ok(["builder", "prune", "-af"]);
    expect(await second.ok(["images", "-qa"])).toBe("");
    return second;
  }

  const flags = "--progress plain --secret id=token,src=app/token";
  const run = (target: DockerTarget, command: string) => target.shell(command, first.directory);
  const build = async (target: DockerTarget, args: string, program = `${buildx} build`) => {
    const ended = await run(target, `${program} ${flags} ${args} app`);
    return { ...ended, steps: cachedSteps(ended.stderr) };
  };
  const all = { cached: 5, ran: 0 };

  test("a registry's cache gives a fresh engine every step, and has no secret", async () => {
    const to = `--cache-to type=registry,ref=${registry}/app:cache,mode=max`;
    const made = await build(first, `-t ${registry}/app ${to}`);
    expect(made.stderr).toContain("exporting cache to registry");
    expect(made).toMatchObject({ status: 0, steps: { cached: 0, ran: 5 } });
    const other = await freshEngine();
    const again = await build(other, `-t app --cache-from ${registry}/app:cache`);
    expect(again).toMatchObject({ status: 0, steps: all });
    const [a, b] = [await idOf(first, `${registry}/app`), await idOf(other, "app")];
    expect(b).toBe(a);
    const found = await run(first, `grep -rl ${secret} registry data`);
    expect(found.stdout).toBe("");
    // What another has made is used by builds that name its cache, and by no others.
    expect((await build(other, "")).steps).toMatchObject({ ran: 5 });
  });

  test("thimble build reads what buildx wrote, and the other way round", async () => {
    const other = await freshEngine();
    const program = `${thimble} build`;
    const read = `--cache-from type=registry,ref=${registry}/app:cache`;
    const to = `--cache-to type=registry,ref=${registry}/app:own,mode=max,image-manifest=false,compression=gzip`;
    const made = await build(other, `-t app ${read} ${to}`, program);
    expect(made).toMatchObject({ status: 0, steps: all });
    const third = await freshEngine();
    const again = await build(third, `--cache-from ${registry}/app:own`);
    expect(again).toMatchObject({ status: 0, steps: all });
  });

  test("an image with an inline cache is a cache of its last stage", async () => {
    const made = await build(first, `-t ${registry}/app:inline --cache-to type=inline --push`);
    expect(made.status).toBe(0);
    const other = await freshEngine();
    const again = await build(other, `-t app --cache-from ${registry}/app:inline`);
    // The steps of the other stage run, and their new time makes another COPY of it.
    expect(again).toMatchObject({ status: 0, steps: { cached: 1 } });
  });

  for (const program of [`${buildx} build`, `${thimble} build`]) {
    const what = program === `${buildx} build` ? "buildx" : "thimble";
    test(`a directory of ${what}'s is a cache`, async () => {
      const directory = `cache-${what}`;
      const to = `--cache-to type=local,dest=${directory},mode=max`;
      expect(await build(first, to, program)).toMatchObject({ status: 0 });
      const index = JSON.parse(
        readFileSync(join(first.directory, directory, "index.json"), "utf8"),
      );
      expect(index.manifests).toHaveLength(1);
      for (const reader of [`${buildx} build`, `${thimble} build`]) {
        const other = await freshEngine();
        const again = await build(other, `--cache-from type=local,src=${directory}`, reader);
        expect(again).toMatchObject({ status: 0, steps: all });
      }
    });
  }

  test("bake and compose read and write caches", async () => {
    const target = { context: "app", tags: ["app"], secret: ["id=token,src=app/token"] };
    const cached = { "cache-from": [`${registry}/app:cache`] };
    const file = { target: { default: { ...target, ...cached } } };
    writeFileSync(join(first.directory, "bake.json"), JSON.stringify(file));
    for (const program of [`${buildx} bake`, `${thimble} bake`]) {
      const other = await freshEngine();
      const { status, stderr } = await run(other, `${program} -f bake.json`);
      expect({ status, steps: cachedSteps(stderr) }).toEqual({ status: 0, steps: all });
    }
    const build = { context: "app", cache_from: cached["cache-from"], secrets: ["token"] };
    const project = { services: { app: { build } }, secrets: { token: { file: "app/token" } } };
    writeFileSync(join(first.directory, "compose.yaml"), JSON.stringify(project));
    const other = await freshEngine();
    const { status, stdout, stderr } = await run(other, `${compose} --progress plain build`);
    expect({ status, steps: cachedSteps(stdout + stderr) }).toEqual({ status: 0, steps: all });
  });

  test("an error of a cache that cannot be written ends the build unless it is ignored", async () => {
    using closed = Bun.serve({ port: 0, fetch: () => new Response("", { status: 403 }) });
    const to = `--cache-to type=registry,ref=127.0.0.1:${closed.port}/none`;
    expect((await build(first, to)).status).not.toBe(0);
    expect(await build(first, `${to},ignore-error=true`)).toMatchObject({ status: 0 });
  });

  test("a cache that is damaged or missing is told, and the steps run", async () => {
    writeFileSync(join(app, "in.txt"), "changed\n");
    expect((await build(first, "--cache-to type=local,dest=damaged,mode=max")).status).toBe(0);
    const blobs = join(first.directory, "damaged/blobs/sha256");
    for (const name of readdirSync(blobs)) {
      const bytes = readFileSync(join(blobs, name));
      if (bytes[0] !== 0x7b) writeFileSync(join(blobs, name), bytes.fill(0, 8, 12));
    }
    const other = await freshEngine();
    const again = await build(other, "-t app --cache-from type=local,src=damaged");
    expect(again.stderr).toContain("the cache damaged could not be used");
    expect(again.status).toBe(0);
    expect(again.steps.ran).toBeGreaterThanOrEqual(4);
    const none = await build(first, `--cache-from ${registry}/none`);
    expect(none).toMatchObject({ status: 0, steps: all });
    expect(none.stderr).toMatch(/importing cache manifest from \S+\/none\n#\d+ ERROR: /);
  });

  async function idOf(target: DockerTarget, name: string): Promise<string> {
    return await target.ok(["image", "inspect", "-f", "{{.Id}}", name]);
  }
});

/** How many steps of the Dockerfile were cached, and how many ran; base images are no steps. */
function cachedSteps(output: string): { cached: number; ran: number } {
  const steps = new Map<string, boolean>();
  for (const [, id = ""] of output.matchAll(/#(\d+) \[(?!internal)[^\]]*\d+\/\d+\] (?!FROM)/g)) {
    steps.set(id, false);
  }
  for (const [, id = ""] of output.matchAll(/#(\d+) CACHED/g)) {
    if (steps.has(id)) steps.set(id, true);
  }
  const cached = [...steps.values()].filter(Boolean).length;
  return { cached, ran: steps.size - cached };
}
