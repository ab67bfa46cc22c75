/**
 * Copies in and out of containers, by the real docker CLI.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { temporaryDirectory } from "../support/tree.ts";

const here = describe.skipIf(!dockerPath || !isRoot);

here("docker cp [needs docker CLI]", () => {
  const name = `conf-${process.pid}-cp`;
  let target: DockerTarget;
  let local: ReturnType<typeof temporaryDirectory>;
  const at = (path: string) => join(local.path, path);

  beforeAll(async () => {
    target = await openDockerTarget();
    local = temporaryDirectory("cp");
    writeFileSync(at("f"), "of the host");
    mkdirSync(at("dir"));
    writeFileSync(at("dir/g"), "g");
    symlinkSync("f", at("link"));
    const script = `mkdir -p /s/d /t; echo 1 > /s/f; echo 2 > /s/d/g; cd /s; b=/bin/busybox
      $b ln -s f l; $b ln -s d dl; $b ln -s /nowhere dang; $b chown 7:8 f; echo ready; sleep 1000`;
    await target.ok([
      "run",
      "-d",
      "--name",
      name,
      "-v",
      `${target.shared}:/ro:ro`,
      image,
      "sh",
      "-c",
      script,
    ]);
    while ((await target.ok(["logs", name])) !== "ready") await Bun.sleep(10);
  });
  afterAll(async () => {
    if (!target) return;
    await target.docker(["rm", "-fv", name]);
    local[Symbol.dispose]();
    await target[Symbol.asyncDispose]();
  });

  const inside = (...command: string[]) => target.ok(["exec", name, ...command]);

  test("out: files, directories, contents, links", async () => {
    const cp = (from: string, to: string, ...flags: string[]) =>
      target.ok(["cp", ...flags, `${name}:${from}`, at(to)]);
    await cp("/s/f", "out-f");
    expect(readFileSync(at("out-f"), "utf8")).toBe("1\n");
    await cp("/s/d", "out-d");
    await cp("/s/d", "out-d");
    expect(readdirSync(at("out-d")).sort()).toEqual(["d", "g"]);
    await cp("/s/d/.", "out-content");
    expect(readdirSync(at("out-content"))).toEqual(["g"]);
    await cp("/s/l", "out-l");
    expect(readlinkSync(at("out-l"))).toBe("f");
    await cp("/s/l", "out-ll", "-L");
    expect(readFileSync(at("out-ll"), "utf8")).toBe("1\n");
    await cp("/s/dl/", "out-dl");
    expect(readdirSync(at("out-dl"))).toEqual(["g"]);
  });

  test("in: files, directories, contents, links", async () => {
    const cp = (from: string, to: string, ...flags: string[]) =>
      target.ok(["cp", ...flags, at(from), `${name}:${to}`]);
    await cp("f", "/t");
    await cp("f", "t/renamed");
    await cp("dir", "/t/new");
    await cp("dir", "/t/new");
    await cp("dir/.", "/t/content");
    await cp("link", "/t/");
    await cp("link", "/t/followed", "-L");
    await cp("f", "/s/dl");
    const found = await inside("sh", "-c", "cd /t; /bin/busybox find . /s/d | sort");
    expect(found.split("\n")).toEqual([
      ...[".", "./content", "./content/g", "./f", "./followed", "./link", "./new", "./new/dir"],
      ...["./new/dir/g", "./new/g", "./renamed", "/s/d", "/s/d/f", "/s/d/g"],
    ]);
    expect(await inside("cat", "/t/renamed")).toBe("of the host");
  });

  test.each([
    [["NAME:/nope", "HERE/x"], "Could not find the file /nope in container NAME"],
    [["nope:/x", "HERE/x"], "No such container: nope"],
    [["NAME:/s/f/", "HERE/x"], "lstat /s/f/: not a directory"],
    [["NAME:/proc/version", "HERE/x"], "Could not find the file /proc/version in container NAME"],
    [["NAME:", "HERE/x"], "bad parameter: pathcannot be empty"],
    [["-L", "NAME:/s/dang", "HERE/x"], "Could not find the file /nowhere in container NAME"],
    [["NAME:/s/d", "HERE/f"], "cannot copy directory"],
    [["HERE/f", "NAME:/no/such"], "Could not find the file /no in container NAME"],
    [["HERE/dir", "NAME:/s/f"], "cannot copy directory"],
    [["HERE/f", "NAME:/t/missing/"], "no such directory"],
    [["HERE/f", "NAME:/ro"], "mounted volume is marked read-only"],
  ] as const)("%j is refused", async (args, message) => {
    const filled = (text: string) => text.replace("NAME", name).replace("HERE", local.path);
    const { status, stderr } = await target.docker(["cp", ...args.map(filled)]);
    expect(status).toBe(1);
    expect(stderr).toContain(filled(message));
  });
});
