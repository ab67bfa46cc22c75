/**
 * Mounts of images and in memory, by the real docker CLI.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("mounts [needs docker CLI]", () => {
  let target: DockerTarget;
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    if (!target) return;
    const containers = await target.ok(["ps", "-aq", "-f", `name=conf-${process.pid}-`]);
    if (containers !== "") await target.ok(["rm", "-fv", ...containers.split("\n")]);
    await target[Symbol.asyncDispose]();
  });
  const shell = (mount: string, script: string) =>
    target.ok(["run", "--rm", "--mount", mount, image, "sh", "-c", script]);
  const whole = `type=image,src=${image},dst=/x`;

  test("an image is mounted read-only, whole or in part", async () => {
    const script = "cat /x/etc/plain; touch /x/new 2>&1; grep -c ' /x overlay ro,' /proc/mounts";
    expect(await shell(whole, script)).toBe("no program\ntouch: /x/new: Read-only file system\n1");
    expect(await shell(`${whole},image-subpath=etc`, "cat /x/plain")).toBe("no program");
    expect(await shell(`${whole},image-subpath=etc/plain`, "cat /x")).toBe("no program");
  });

  test("inspect and ps show the image that is mounted", async () => {
    const name = target.name();
    await target.ok(["create", "--name", name, "--mount", whole, image, "true"]);
    const mounts = await target.ok(["inspect", "-f", "{{json .Mounts}}", name]);
    expect(JSON.parse(mounts)).toEqual([
      {
        ...{ Type: "image", Name: image, Source: expect.any(String), Destination: "/x" },
        ...{ Mode: "", RW: false, Propagation: "rprivate" },
      },
    ]);
    const asked = await target.ok(["inspect", "-f", "{{json .HostConfig.Mounts}}", name]);
    expect(JSON.parse(asked)).toEqual([{ Type: "image", Source: image, Target: "/x" }]);
    const ps = ["ps", "-a", "-f", `name=${name}`, "-f", "volume=/x", "--format"];
    expect(await target.ok([...ps, "{{.LocalVolumes}}"])).toBe("0");
    expect(await target.ok([...ps, "{{.Mounts}}"])).not.toBe("");
    const other = target.name();
    await target.ok(["create", "--name", other, "--volumes-from", name, image, "true"]);
    expect(await target.ok(["inspect", "-f", "{{json .Mounts}}", other])).toContain(image);
  });

  test("an image that a container has mounted is in use", async () => {
    const kept = `${target.name()}:1`;
    const base = await target.ok(["create", "--name", target.name(), image, "true"]);
    await target.ok(["commit", "-c", `LABEL kept=${process.pid}`, base, kept]);
    const name = target.name();
    const mount = `type=image,src=${kept},dst=/x`;
    await target.ok(["run", "-d", "--name", name, "--mount", mount, image, "sleep", "1000"]);
    const id = await target.ok(["inspect", "-f", "{{.Id}}", name]);
    const { status, stderr } = await target.docker(["rmi", kept]);
    expect(status).toBe(1);
    expect(stderr).toMatch(
      `unable to remove repository reference "${kept}" (must force) - container ${id.slice(0, 12)} is using its referenced image `,
    );
    await target.ok(["rm", "-f", name]);
    await target.ok(["rmi", kept]);
  });

  test.each([
    ["src=SRC,dst=/", "invalid specification: destination can't be '/'"],
    ["src=SRC,dst=x", "invalid mount path: 'x' mount path must be absolute"],
    ["dst=/x", "field Source must not be empty"],
    ["src=SRC,dst=/x,image-subpath=../a", "subpath must be a relative path within the volume"],
    ["src=SRC,dst=/x,image-subpath=/a", "subpath must be a relative path within the volume"],
  ])("a mount of an image with %s is refused", async (fields, message) => {
    const mount = `type=image,${fields.replace("SRC", image)}`;
    const { status, stderr } = await target.docker([
      ...["create", "--name", target.name(), "--mount", mount, image, "true"],
    ]);
    expect(status).toBe(1);
    expect(stderr).toContain(`invalid mount config for type "image": ${message}`);
  });

  test("a part of an image that is not there is named", async () => {
    const { status, stderr } = await target.docker([
      ...["run", "--rm", "--mount", `${whole},image-subpath=nope`, image, "true"],
    ]);
    expect(status).not.toBe(0);
    expect(stderr).toMatch(/cannot access path \S*\/nope\b.*: .*no such file or directory/);
  });

  test("a tmpfs has its options", async () => {
    const options = "/t:size=1m,mode=700,uid=5,gid=6,exec";
    const mount = "type=tmpfs,dst=/u,tmpfs-size=2m,tmpfs-mode=1700,readonly";
    const shown = await target.ok([
      ...["run", "--rm", "--tmpfs", options, "--mount", mount, image, "sh", "-c"],
      "stat -c '%a %u:%g' /t /u; grep -E ' /(t|u) ' /proc/mounts",
    ]);
    expect(shown.replaceAll(",inode64", "").split("\n")).toEqual([
      ...["700 5:6", "1700 0:0"],
      "tmpfs /t tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=700,uid=5,gid=6 0 0",
      "tmpfs /u tmpfs ro,nosuid,nodev,noexec,relatime,size=2048k,mode=1700 0 0",
    ]);
    const wrong = ["run", "--rm", "--tmpfs", "/t:foo", image, "true"];
    expect((await target.docker(wrong)).stderr).toContain('invalid tmpfs option "foo"');
  });
});
