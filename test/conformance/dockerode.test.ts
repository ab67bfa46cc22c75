/**
 * dockerode, as programs use it, and the shape of what it reads. Shown to pass on
 * dockerd 28.5.2 with dockerode 5.0.1; testdata/container-inspect-shape.json was
 * recorded there.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import Docker from "dockerode";
import { rejection } from "../../src/base/testing.ts";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("dockerode [needs docker CLI]", () => {
  let target: DockerTarget;
  let docker: Docker;
  beforeAll(async () => {
    target = await openDockerTarget();
    docker = new Docker({ socketPath: target.socket });
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  test("create, attach, start, wait, remove", async () => {
    const container = await docker.createContainer({
      Image: image,
      Cmd: ["cat"],
      OpenStdin: true,
      StdinOnce: true,
      name: target.name(),
    });
    const stream = await container.attach({
      stream: true,
      stdin: true,
      stdout: true,
      stderr: true,
      hijack: true,
    });
    const output = new PassThrough();
    container.modem.demuxStream(stream, output, output);
    stream.on("end", () => output.end());
    await container.start();
    stream.write("hello\n");
    stream.end();
    expect(await text(output)).toBe("hello\n");
    expect(await container.wait()).toEqual({ StatusCode: 0 });
    await container.remove();
    expect(await rejection(container.inspect())).toMatchObject({ statusCode: 404 });
  });

  test("exec with input, and its status", async () => {
    const container = await docker.createContainer({
      Image: image,
      Cmd: ["sleep", "100"],
      name: target.name(),
    });
    await container.start();
    const exec = await container.exec({
      Cmd: ["sh", "-c", "cat; exit 5"],
      AttachStdin: true,
      AttachStdout: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const output = new PassThrough();
    container.modem.demuxStream(stream, output, output);
    stream.on("end", () => output.end());
    stream.write("in\n");
    stream.end();
    expect(await text(output)).toBe("in\n");
    for (;;) {
      const { Running, ExitCode } = await exec.inspect();
      if (Running) continue;
      expect(ExitCode).toBe(5);
      break;
    }
    await container.remove({ force: true });
  });

  test("run, logs, list, events and errors", async () => {
    const output = new PassThrough();
    const [result, container] = await docker.run(image, ["sh", "-c", "echo hi; exit 2"], output, {
      name: target.name(),
    });
    expect(result.StatusCode).toBe(2);
    const logs = await container.logs({ stdout: true, stderr: true });
    // A terminal, as docker.run asks for one.
    expect(logs.toString("latin1")).toBe("hi\r\n");
    const listed = await docker.listContainers({ all: true, filters: { id: [container.id] } });
    expect(listed.map((each) => [each.Id, each.State, each.Image])).toEqual([
      [container.id, "exited", image],
    ]);
    expect(await rejection(container.kill())).toMatchObject({ statusCode: 409 });
    await container.remove();
    expect((await docker.ping()).toString()).toBe("OK");
  });

  test("inspect has all that the reference's has, of the same types", async () => {
    const container = await docker.createContainer({
      Image: image,
      Cmd: ["sleep", "100"],
      name: target.name(),
      HostConfig: { Binds: [`${target.shared}:/mnt:ro`], Memory: 64 << 20, Tmpfs: { "/t": "" } },
    });
    await container.start();
    const path = join(import.meta.dir, "testdata/container-inspect-shape.json");
    const missing = differences(
      JSON.parse(readFileSync(path, "utf8")),
      await container.inspect(),
      "",
    );
    expect(missing).toEqual([]);
    await container.remove({ force: true });
  });
});

/** Where a value is not of the recorded shape; null stands for an absent list or object. */
function differences(shape: unknown, value: unknown, path: string): string[] {
  if (value === undefined) return [`${path} is missing`];
  if (shape === "null" || value === null)
    return value === null || typeof value === "object" ? [] : [`${path} is not null`];
  if (Array.isArray(shape)) {
    if (!Array.isArray(value)) return [`${path} is not a list`];
    return shape.length > 0 && value.length > 0
      ? differences(shape[0], value[0], `${path}[0]`)
      : [];
  }
  if (typeof shape === "object" && shape !== null)
    return Object.entries(shape).flatMap(([key, part]) =>
      differences(part, (value as Record<string, unknown>)[key], `${path}.${key}`),
    );
  return typeof value === shape ? [] : [`${path} is a ${typeof value}, not a ${shape}`];
}
