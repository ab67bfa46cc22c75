/**
 * images, save, load, import, export, tag, rmi and history, by the real docker CLI.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("images [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  test("images lists, image inspect shows, history tells", async () => {
    const format = "{{.Repository}}:{{.Tag}} {{.ID}}";
    const listed = await target.ok([
      "images",
      "--no-trunc",
      "--format",
      format,
      "thimble.example/busybox",
    ]);
    const id = await target.ok(["image", "inspect", "-f", "{{.Id}}", image]);
    expect(listed).toBe(`${image} ${id}`);
    expect(
      await target.ok([
        "image",
        "inspect",
        "-f",
        "{{json .Config.Cmd}} {{.Os}} {{len .RootFS.Layers}}",
        image,
      ]),
    ).toBe('["sh"] linux 1');
    expect(await target.ok(["history", "--format", "{{.Comment}}", image])).toStartWith(
      "Imported from",
    );
    expect(
      await target.ok(["images", "-q", "--no-trunc", "-f", "reference=thimble.example/*"]),
    ).toBe(id);
  });

  test("an image goes out by save and comes back by load, the same", async () => {
    const file = join(target.directory, "saved.tar");
    const other = "thimble.example/saved:1";
    await target.ok(["tag", image, other]);
    const id = await target.ok(["image", "inspect", "-f", "{{.Id}}", other]);
    await target.ok(["save", "-o", file, other]);
    expect(await target.ok(["rmi", other])).toBe(`Untagged: ${other}`);
    expect(await target.ok(["load", "-i", file])).toBe(`Loaded image: ${other}`);
    expect(await target.ok(["image", "inspect", "-f", "{{.Id}}", other])).toBe(id);
    expect(await target.ok(["run", "--rm", other, "echo", "hi"])).toBe("hi");
    await target.ok(["rmi", other]);
  });

  test("several images in one archive", async () => {
    const tags = ["thimble.example/a:1", "thimble.example/b:2"];
    const file = join(target.directory, "several.tar");
    for (const tag of tags) await target.ok(["tag", image, tag]);
    await target.ok(["save", "-o", file, ...tags]);
    await target.ok(["rmi", ...tags]);
    const loaded = await target.ok(["load", "-i", file]);
    expect(loaded.split("\n").sort()).toEqual(tags.map((tag) => `Loaded image: ${tag}`));
    await target.ok(["rmi", ...tags]);
  });

  test("a container's tree goes out by export and comes back by import", async () => {
    const name = target.name();
    const file = join(target.directory, "tree.tar");
    await target.ok(["run", "--name", name, image, "sh", "-c", "echo made > /made"]);
    await target.ok(["export", "-o", file, name]);
    const tag = "thimble.example/imported:1";
    const changes = [
      "-c",
      "ENV A=b PATH=/bin",
      "-c",
      'CMD ["cat", "/made"]',
      "-c",
      "WORKDIR /tmp",
      "-c",
      "LABEL l=v",
    ];
    const id = await target.ok(["import", "-m", "by hand", ...changes, file, tag]);
    expect(id).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await target.ok(["run", "--rm", tag])).toBe("made");
    expect(
      await target.ok([
        "image",
        "inspect",
        "-f",
        "{{.Config.WorkingDir}} {{.Config.Labels.l}} {{.Comment}}",
        tag,
      ]),
    ).toBe("/tmp v by hand");
    const removed = await target.ok(["rmi", tag]);
    expect(removed.split("\n")[0]).toBe(`Untagged: ${tag}`);
    expect(removed).toContain(`Deleted: ${id}`);
  });

  test("an image in use is not removed", async () => {
    const name = target.name();
    const tag = "thimble.example/used:1";
    await target.ok(["import", join(target.directory, "image.tar"), tag]);
    const container = await target.ok(["create", "--name", name, tag, "sh"]);
    const { status, stderr } = await target.docker(["rmi", tag]);
    expect(status).toBe(1);
    expect(stderr).toContain(
      `conflict: unable to remove repository reference "${tag}" (must force) - container ${container.slice(0, 12)} is using its referenced image`,
    );
    await target.ok(["rm", name]);
    await target.ok(["rmi", tag]);
  });

  test("a file that is not an archive is refused", async () => {
    const file = join(target.directory, "garbage");
    writeFileSync(file, "this is not an archive ".repeat(1000));
    const { status, stderr } = await target.docker(["load", "-i", file]);
    expect(status).toBe(1);
    expect(stderr).not.toBe("");
    expect(
      (await target.docker(["import", "-c", "NONSENSE x", join(target.directory, "image.tar")]))
        .status,
    ).toBe(1);
  });
});
