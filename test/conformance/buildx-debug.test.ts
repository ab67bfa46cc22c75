/** `docker buildx debug`, unmodified, before an engine: containers of steps that failed, and of results. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";

const buildx = dockerPlugin("docker-buildx") ?? "";
const here = describe.skipIf(buildx === "" || !dockerPath || !isRoot);

here("docker buildx debug [needs docker-buildx]", () => {
  let target: DockerTarget;
  const put = (name: string, lines: readonly string[]) =>
    writeFileSync(join(target.directory, "app", name), [`FROM ${image}`, ...lines, ""].join("\n"));
  beforeAll(async () => {
    target = await openDockerTarget();
    mkdirSync(join(target.directory, "app"));
    const mounts = "--mount=type=bind,target=/ctx --mount=type=secret,id=token";
    put("fails", ["ENV A=1", "WORKDIR /w", `RUN ${mounts} echo part > made; exit 7`]);
    put("works", ["ENV A=2", "RUN echo whole > /made"]);
    writeFileSync(join(target.directory, "token"), "s3cret");
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  const debug = (on: string, file: string) =>
    target.terminal(
      [
        ...["debug", "--on", on, "--invoke", "/bin/sh", "build", "--progress=plain"],
        ...["--secret", "id=token,src=token", "-f", `app/${file}`, "app"],
      ],
      {
        ...{ program: buildx, directory: target.directory },
        env: { BUILDX_EXPERIMENTAL: "1", HOME: target.directory },
      },
    );

  test("a RUN that fails is entered with its files and mounts, and then the build fails", async () => {
    const session = debug("error", "fails");
    await session.until("# ");
    session.send(
      "echo $A $(cat /w/made /run/secrets/token) $(ls /ctx); echo new > /w/made; pwd; echo :said\r",
    );
    expect(await session.until("\n:said")).toContain("1 part s3cret fails works");
    session.send("\u0001c");
    await session.until("(buildx) ");
    session.send("exit\r");
    const { status, stdout } = await session.ended;
    expect(stdout).toContain(">>> RUN --mount=type=bind");
    expect(stdout).toContain("did not complete successfully: exit code: 7");
    expect(status).toBe(1);
  });

  test("a result is entered with the environment of its image, and the build comes to its end", async () => {
    const session = debug("always", "works");
    await session.until("# ");
    session.send("echo $A $(cat /made); echo :said\r");
    expect(await session.until("\n:said")).toContain("2 whole");
    session.send("\u0001c");
    await session.until("(buildx) ");
    session.send("exit\r");
    expect((await session.ended).status).toBe(0);
  });
});
