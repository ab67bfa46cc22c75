import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const user = 4321;

describe.skipIf(!isRoot)("a user who is not root", () => {
  let cli: ThimbleCli;
  let shared: string;
  beforeAll(async () => {
    cli = new ThimbleCli();
    await cli.importBusybox("box");
    cli.openToAll();
    shared = join(cli.directory, "shared");
    mkdirSync(shared);
    await cli.ok(["version"], { user });
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });
  const ownerOf = (path: string) => statSync(path).uid;
  const make = (name: string) => ["box", "sh", "-c", `touch /x/${name}; stat -c %u /x/${name}`];

  test("owns what a container makes in the binds that map owners", async () => {
    const path = join(shared, "new");
    const asRoot = ["run", "--rm", "-v", `${path}:/x:idmap`, ...make("f")];
    expect(await cli.ok(asRoot, { user })).toBe("0");
    expect([ownerOf(path), ownerOf(join(path, "f"))]).toEqual([user, user]);
    const mount = (idmap: string) => ["--mount", `type=bind,src=${path},dst=/x,${idmap}`];
    const asApp = ["run", "--rm", "-u", "app", ...mount("bind-idmap"), ...make("g")];
    expect(await cli.ok(asApp, { user })).toBe("1000");
    const named = [
      "run",
      "--rm",
      ...mount("bind-idmap=match-user:7:8"),
      "box",
      "stat",
      "-c",
      "%u:%g",
      "/x",
    ];
    expect(await cli.ok(named, { user })).toBe("7:8");
    expect(ownerOf(join(path, "g"))).toBe(user);
    const plain = ["run", "--rm", "-v", `${path}:/x`, ...make("h")];
    await cli.ok(plain, { user });
    expect(ownerOf(join(path, "h"))).toBe(0);
    const { status, stderr } = await cli.run(
      ["run", "--rm", ...mount("bind-idmap=userns"), "box", "true"],
      { user },
    );
    expect(status).toBe(125);
    expect(stderr).toContain('use "match-user"');
  });

  test("keeps the files also when root starts the container again", async () => {
    const path = join(shared, "again");
    const id = await cli.ok(
      ["create", "-v", `${path}:/x:idmap`, "box", "sh", "-c", "touch /x/$(ls /x | wc -l)"],
      { user },
    );
    await cli.ok(["start", "-a", id], { user });
    await cli.ok(["start", "-a", id]);
    expect([ownerOf(join(path, "0")), ownerOf(join(path, "1"))]).toEqual([user, user]);
  });
});
