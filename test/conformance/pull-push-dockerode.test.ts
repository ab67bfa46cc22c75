/**
 * dockerode pulling, pushing, committing, as programs do it, over a registry of our own
 * on loopback that wants a password. Shown to pass on dockerd 28.5.2 with dockerode 5.0.1.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Docker from "dockerode";
import { silentLog } from "#base";
import { createPasswordEntry, openRegistryService } from "#registry-server";
import { rejection } from "../../src/base/testing.ts";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

interface Message {
  readonly status?: string;
  readonly id?: string;
  readonly aux?: { readonly Tag?: string; readonly Digest?: string };
}

here("dockerode and registries [needs docker CLI]", () => {
  let target: DockerTarget;
  let docker: Docker;
  let service: Awaited<ReturnType<typeof openRegistryService>>;
  let name: string;
  const authconfig = () => ({
    username: "joe",
    password: "secret",
    serveraddress: new URL(service.url).host,
  });

  beforeAll(async () => {
    target = await openDockerTarget();
    docker = new Docker({ socketPath: target.socket });
    const passwordFile = join(target.directory, "htpasswd");
    writeFileSync(passwordFile, `${await createPasswordEntry("joe", "secret")}\n`);
    service = await openRegistryService({
      address: { host: "127.0.0.1", port: 0 },
      root: join(target.directory, "registry"),
      passwordFile,
      version: "test",
      web: false,
      log: silentLog,
    });
    name = `${new URL(service.url).host}/joe/app`;
  });
  afterAll(async () => {
    await docker
      .getImage(`${name}:made`)
      .remove({ force: true })
      .catch(() => undefined);
    await target?.[Symbol.asyncDispose]();
    await service?.close();
  });

  const followed = (stream: NodeJS.ReadableStream) =>
    new Promise<Message[]>((resolve, reject) => {
      docker.modem.followProgress(stream, (error, messages) =>
        error ? reject(error) : resolve(messages as Message[]),
      );
    });

  test("credentials are checked", async () => {
    expect(await docker.checkAuth(authconfig())).toMatchObject({ Status: "Login Succeeded" });
    const wrong = { ...authconfig(), password: "wrong" };
    expect(await rejection(docker.checkAuth(wrong))).toMatchObject({ statusCode: 500 });
  });

  test("a container becomes an image, which goes to the registry and comes back", async () => {
    const container = await docker.createContainer({
      Image: image,
      Cmd: ["sh", "-c", "echo hi > /new"],
      name: target.name(),
    });
    await container.start();
    await container.wait();
    expect(await container.changes()).toEqual([{ Path: "/new", Kind: 1 }]);
    const { Id } = await container.commit({ repo: name, tag: "made", comment: "by dockerode" });
    const made = docker.getImage(`${name}:made`);
    expect(await made.inspect()).toMatchObject({ Id, Comment: "by dockerode" });
    const pushed = await followed(await made.push({ authconfig: authconfig() }));
    const aux = pushed.find((message) => message.aux)?.aux;
    expect(aux?.Tag).toBe("made");
    const { RepoDigests } = await made.inspect();
    expect(RepoDigests).toEqual([`${name}@${aux?.Digest}`]);
    await container.remove();
    await made.remove();
    expect(await rejection(made.inspect())).toMatchObject({ statusCode: 404 });
    const pulled = await followed(await docker.pull(`${name}:made`, { authconfig: authconfig() }));
    expect(pulled[0]).toMatchObject({ status: "Pulling from joe/app", id: "made" });
    expect(pulled.map(({ status }) => status).slice(-2)).toEqual([
      `Digest: ${aux?.Digest}`,
      `Status: Downloaded newer image for ${name}:made`,
    ]);
    expect((await made.inspect()).Id).toBe(Id);
  });

  test("a refusal of the registry is an error with its status", async () => {
    const refused = async (reference: string, options: object) =>
      await docker.pull(reference, options).then(
        () => ({ statusCode: 200, message: "" }),
        (error: { statusCode: number; message: string }) => error,
      );
    const missing = await refused(`${name}:none`, { authconfig: authconfig() });
    expect(missing.statusCode).toBe(404);
    expect(missing.message).toContain(`manifest for ${name}:none not found: manifest unknown`);
    const anonymous = await refused(`${name}:made`, {});
    expect(anonymous.statusCode).toBe(500);
    expect(anonymous.message).toContain("no basic auth credentials");
    const authconfigOfNobody = { ...authconfig(), password: "wrong" };
    const wrong = await refused(`${name}:made`, { authconfig: authconfigOfNobody });
    expect(wrong.message).toContain("unauthorized");
  });

  test("disk usage is read", async () => {
    const usage = await docker.df();
    expect(usage.LayersSize).toBeGreaterThan(1_000_000);
    const found = usage.Images?.find(({ RepoTags }: { RepoTags: string[] | null }) =>
      RepoTags?.includes(`${name}:made`),
    );
    expect(found).toMatchObject({ Containers: 0, SharedSize: expect.any(Number) });
  });
});
