/** Each method of dockerode that has an endpoint of the engine. Shown to pass on dockerd 28.5.2. */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import Docker from "dockerode";
import { rejection } from "../../src/base/testing.ts";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { tarOf } from "../support/tree.ts";

describe.skipIf(!dockerPath || !isRoot)("dockerode's methods [needs docker CLI]", () => {
  let target: DockerTarget;
  let docker: Docker;
  beforeAll(async () => {
    target = await openDockerTarget();
    docker = new Docker({ socketPath: target.socket });
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  const running = async (name: string) => {
    const container = await docker.createContainer({ Image: image, Cmd: ["sleep", "1000"], name });
    await container.start();
    return container;
  };

  test("of a container", async () => {
    const container = await running(target.name());
    expect(await rejection(container.start())).toMatchObject({ statusCode: 304 });
    await container.pause();
    expect((await container.inspect()).State.Status).toBe("paused");
    await container.unpause();
    const renamed = target.name();
    await container.rename({ name: renamed });
    await container.update({ Memory: 64 << 20, MemorySwap: 64 << 20 });
    expect(await container.inspect()).toMatchObject({
      Name: `/${renamed}`,
      HostConfig: { Memory: 64 << 20 },
    });
    expect((await container.stats({ stream: false })).memory_stats.usage).toBeGreaterThan(0);
    await container.resize({ h: 20, w: 70 });

    await container.putArchive(tarOf([{ name: "file", content: "text" }]), { path: "/tmp" });
    expect(await text(await container.getArchive({ path: "/tmp/file" }))).toContain("text");
    const headers = (await container.infoArchive({ path: "/tmp/file" })) as never as {
      readonly headers: Readonly<Record<string, string>>;
    };
    expect(JSON.parse(atob(headers.headers["x-docker-container-path-stat"] ?? ""))).toMatchObject({
      name: "file",
      size: 4,
    });
    expect(await container.changes()).toContainEqual({ Path: "/tmp/file", Kind: 1 });
    expect((await buffer(await container.export())).byteLength).toBeGreaterThan(1000);
    const committed = await container.commit({ repo: renamed, tag: "1", comment: "why" });
    expect((await docker.getImage(committed.Id).inspect()).Comment).toBe("why");
    await docker.getImage(`${renamed}:1`).remove();

    const waiting = container.wait();
    await container.kill({ signal: "KILL" });
    expect(await waiting).toEqual({ StatusCode: 137 });
    await container.restart({ t: 0 });
    await container.stop({ t: 0 });
    expect(await rejection(container.stop())).toMatchObject({ statusCode: 304 });
    expect((await container.logs({ stdout: true })).byteLength).toBe(0);
    await container.remove({ v: true });
    expect(await docker.pruneContainers({ filters: { label: ["absent"] } })).toMatchObject({
      SpaceReclaimed: 0,
    });
  });

  test("of networks and volumes", async () => {
    const container = await running(target.name());
    const name = target.name();
    const network = await docker.createNetwork({ Name: name, Labels: { a: "b" } });
    await network.connect({ Container: container.id, EndpointConfig: { Aliases: ["ali"] } });
    expect(Object.keys((await network.inspect()).Containers ?? {})).toEqual([container.id]);
    await network.disconnect({ Container: container.id });
    const listed = await docker.listNetworks({ filters: { name: [name] } });
    expect(listed.map(({ Name }) => Name)).toEqual([name]);
    await network.remove();
    await docker.pruneNetworks({ filters: { label: ["absent"] } });
    await docker.createVolume({ Name: name, Labels: { a: "b" } });
    const volume = docker.getVolume(name);
    expect(await volume.inspect()).toMatchObject({ Name: name, Driver: "local" });
    const { Volumes } = await docker.listVolumes({ filters: { name: [name] } });
    expect(Volumes.map(({ Name }) => Name)).toEqual([name]);
    await volume.remove();
    expect(await docker.pruneVolumes({ filters: { label: ["absent"] } })).toMatchObject({
      SpaceReclaimed: 0,
    });
    await container.remove({ force: true });
  });

  test("of images and the system", async () => {
    const one = docker.getImage(image);
    const { Id } = await one.inspect();
    const name = target.name();
    await one.tag({ repo: name, tag: "1" });
    expect((await docker.listImages({ filters: { reference: [name] } }))[0]?.Id).toBe(Id);
    expect((await one.history()).length).toBe(1);
    const archive = await buffer(await docker.getImage(`${name}:1`).get());
    await docker.getImage(`${name}:1`).remove();
    const loaded = await docker.loadImage(Readable.from([archive]));
    expect(await text(loaded)).toContain(`Loaded image: ${name}:1`);
    await docker.getImage(`${name}:1`).remove();
    await docker.pruneImages({ filters: { label: ["absent"] } });
    expect((await docker.df()).Images?.length).toBeGreaterThan(0);
    expect((await docker.info()).Containers).toBeGreaterThanOrEqual(0);
    expect((await docker.version()).ApiVersion).toMatch(/^1\.\d+$/);
    expect(await text(await docker.getEvents({ since: 1, until: 2 }))).toBe("");
    expect(await rejection(docker.getImage("absent:1").inspect())).toMatchObject({
      statusCode: 404,
    });
  });
});
