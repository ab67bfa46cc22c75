/**
 * docker buildx and compose, unmodified, before an engine: what their builds come to.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";
import { tarOf } from "../support/tree.ts";

const buildx = dockerPlugin("docker-buildx");
const compose = dockerPlugin("docker-compose");
const here = describe.skipIf(!buildx || !compose || !dockerPath || !isRoot);

here("builds of docker buildx [needs docker-buildx]", () => {
  let target: DockerTarget;
  const files: Readonly<Record<string, string>> = {
    Dockerfile: [
      `FROM ${image} AS base`,
      "COPY --chmod=600 in.txt /in.txt",
      "RUN --mount=type=secret,id=token wc -c < /run/secrets/token > /length",
      "FROM base AS last",
      "RUN cat /in.txt > /out.txt",
      'CMD ["cat", "/out.txt", "/length"]',
      "",
    ].join("\n"),
    ".dockerignore": "left-out\n",
    "in.txt": "from the context\n",
    "left-out": "never sent\n",
    token: "s3cret",
  };
  beforeAll(async () => {
    target = await openDockerTarget();
    mkdirSync(join(target.directory, "app"));
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(target.directory, "app", name), text);
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  const run = (command: string) => target.shell(command, target.directory);
  const build = (args: string) =>
    run(`${buildx} build --progress plain --secret id=token,src=app/token ${args}`);

  test("an image with secrets, files and stages runs", async () => {
    const name = target.name();
    expect(await build(`-t ${name} app`)).toMatchObject({ status: 0 });
    expect(await target.ok(["run", "--rm", name])).toBe("from the context\n6");
    const again = await build(`-t ${name} --cache-from 127.0.0.1:1/none app`);
    expect(again.stderr.match(/ CACHED/g)?.length).toBeGreaterThanOrEqual(3);
    expect(again.stderr).toMatch(
      /importing cache manifest from 127\.0\.0\.1:1\/none\n#\d+ ERROR: /,
    );
    expect(again.status).toBe(0);
    const id = await target.ok(["image", "inspect", "-f", "{{.Id}}", name]);
    expect(await build("--iidfile id app")).toMatchObject({ status: 0 });
    expect(readFileSync(join(target.directory, "id"), "utf8")).toBe(id);
  });

  test("a step has a socket for the client's agent", async () => {
    const path = join(target.directory, "agent");
    const agent = createServer((socket) => socket.end());
    await new Promise<void>((resolve) => agent.listen(path, resolve));
    const text = `FROM ${image}\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK"\n`;
    writeFileSync(join(target.directory, "ssh.Dockerfile"), text);
    const built = await run(
      `${buildx} build --no-cache --ssh default=${path} -f ssh.Dockerfile app`,
    );
    agent.close();
    expect(built).toMatchObject({ status: 0 });
  });

  test("a step that fails is shown with its line, its output and its status", async () => {
    const text = `FROM ${image}\nRUN echo said; exit 7\n`;
    const { status, stderr } = await run(
      `printf '${text.replaceAll("\n", "\\n")}' | ${buildx} build --progress plain -f - app`,
    );
    expect(stderr).toContain("said");
    expect(stderr).toContain("   2 | >>> RUN echo said; exit 7");
    expect(stderr).toContain("did not complete successfully: exit code: 7");
    expect(status).toBe(1);
  });

  test("outputs are a tar, a directory and an archive that can be loaded", async () => {
    expect(await build("-o type=tar,dest=out.tar app")).toMatchObject({ status: 0 });
    expect(await run("tar -xOf out.tar --wildcards '*out.txt'")).toMatchObject({
      stdout: "from the context\n",
    });
    expect(await build("-o out app")).toMatchObject({ status: 0 });
    expect(readFileSync(join(target.directory, "out/out.txt"), "utf8")).toBe("from the context\n");
    if (!target.ours) return;
    const name = target.name();
    const archive = `-t ${name} -o type=docker,dest=image.tar`;
    expect(await build(`${archive} app`)).toMatchObject({ status: 0 });
    expect((await target.docker(["image", "inspect", name])).status).toBe(1);
    await target.ok(["load", "-i", join(target.directory, "image.tar")]);
    expect(await target.ok(["run", "--rm", name])).toBe("from the context\n6");
  });

  test("a bake file builds a target on the result of another", async () => {
    const name = target.name();
    const secret = ["id=token,src=app/token"];
    const base = { context: "app", target: "base", secret };
    const linked = {
      ...{ context: "app", contexts: { below: "target:base" }, tags: [name] },
      "dockerfile-inline": 'FROM below\nCMD ["cat", "/in.txt"]\n',
    };
    const file = JSON.stringify({ target: { base, default: linked } });
    writeFileSync(join(target.directory, "docker-bake.json"), file);
    expect(await run(`${buildx} bake --progress plain`)).toMatchObject({ status: 0 });
    expect(await target.ok(["run", "--rm", name])).toBe("from the context");
    expect(await target.ok(["images", "-q", "thimble.invalid/result"])).toBe("");
  });

  test("contexts are an image of an OCI layout of the client's, and what is fetched", async () => {
    // dockerd's BuildKit has no layouts.
    if (!target.ours) return;
    const name = target.name();
    const archive = join(target.directory, "laid.tar");
    await target.ok(["save", "-o", archive, image]);
    expect(await run("mkdir laid && tar -C laid -xf laid.tar")).toMatchObject({ status: 0 });
    const text = 'FROM base\nRUN echo more > /more\nCMD ["cat", "/more"]\n';
    writeFileSync(join(target.directory, "laid.Dockerfile"), text);
    const laid = "-f laid.Dockerfile --build-context base=oci-layout://laid";
    const built = await build(`-t ${name} ${laid}:conformance app`);
    expect(built).toMatchObject({ status: 0 });
    expect(await target.ok(["run", "--rm", name])).toBe("more");
    const files = tarOf([
      { name: "Dockerfile", content: "FROM scratch\nCOPY x /x\nCOPY --from=other x /other\n" },
      { name: "x", content: "fetched" },
    ]);
    await using server = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: () => new Response(new Uint8Array(files)),
    });
    const url = `http://127.0.0.1:${server.port}/files.tar`;
    const fetched = await build(`-o fetched --build-context other=${url} ${url}`);
    expect(fetched).toMatchObject({ status: 0 });
    const seen = ["x", "other"].map((each) =>
      readFileSync(join(target.directory, "fetched", each), "utf8"),
    );
    expect(seen).toEqual(["fetched", "fetched"]);
  });

  test("compose builds a service and starts it", async () => {
    const project = `conf${process.pid}`;
    writeFileSync(
      join(target.directory, "compose.yaml"),
      "services:\n  one:\n    build: {context: app, secrets: [token]}\nsecrets:\n  token: {file: app/token}\n",
    );
    const up = await run(`${compose} -p ${project} up --build --abort-on-container-exit`);
    expect(up).toMatchObject({ status: 0, stdout: expect.stringContaining("from the context") });
    await run(`${compose} -p ${project} down --rmi local`);
  });

  test("what builds keep is told, and removed on demand", async () => {
    if (!target.ours) return;
    const before = await run(`${buildx} du`);
    expect(before.stdout).toMatch(/Total:\s+[1-9]/);
    expect(await run(`${buildx} prune -af`)).toMatchObject({ status: 0 });
    expect((await run(`${buildx} du`)).stdout).toMatch(/Total:\s+0B/);
  });
});
