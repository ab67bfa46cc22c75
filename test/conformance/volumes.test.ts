/**
 * Volumes and mounts of containers, by the real docker CLI.
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

here("volumes [needs docker CLI]", () => {
  let target: DockerTarget;
  const made: string[] = [];
  beforeAll(async () => {
    target = await openDockerTarget();
  });
  afterAll(async () => {
    if (!target) return;
    // Those of --volumes-from and images too; a reference may have volumes of others.
    const containers = await target.ok(["ps", "-aq", "-f", `name=conf-${process.pid}-`]);
    if (containers !== "") await target.ok(["rm", "-fv", ...containers.split("\n")]);
    await target.docker(["volume", "rm", "-f", ...made]);
    await target[Symbol.asyncDispose]();
  });
  const volumeName = () => {
    const name = `conf-volume-${process.pid}-${made.length}`;
    made.push(name);
    return name;
  };
  const create = async (...flags: string[]) => {
    const name = volumeName();
    expect(await target.ok(["volume", "create", ...flags, name])).toBe(name);
    return name;
  };
  const json = async (args: readonly string[]) => JSON.parse(await target.ok(args));
  const refusal = async (...args: string[]) => {
    const { status, stderr } = await target.docker(args);
    expect(status).not.toBe(0);
    return stderr.trim();
  };

  test("create, inspect, ls, rm", async () => {
    const name = await create("--label", "a=b", "--label", `conf=${process.pid}`);
    expect(await target.ok(["volume", "create", name])).toBe(name);
    const [shown] = await json(["volume", "inspect", name]);
    expect(shown).toEqual({
      CreatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      Driver: "local",
      Labels: { a: "b", conf: String(process.pid) },
      Mountpoint: expect.stringMatching(new RegExp(`/volumes/${name}/_data$`)),
      Name: name,
      Options: null,
      Scope: "local",
    });
    const ls = (...args: string[]) =>
      target.ok(["volume", "ls", "-q", "-f", `label=conf=${process.pid}`, ...args]);
    expect(await ls()).toBe(name);
    expect(await ls("-f", "dangling=true")).toBe(name);
    expect(await ls("-f", "dangling=0")).toBe("");
    expect(await ls("-f", "driver=local")).toBe(name);
    expect(await ls("-f", "driver=other")).toBe("");
    expect(await ls("-f", `name=${name.slice(4)}`)).toBe(name);
    expect(await target.ok(["inspect", "-f", "{{.Name}}", name])).toBe(name);
    expect(await target.ok(["volume", "rm", name])).toBe(name);
    expect(await refusal("volume", "rm", name)).toBe(
      `Error response from daemon: get ${name}: no such volume`,
    );
    expect(await target.ok(["volume", "rm", "-f", name])).toBe(name);
    expect(await refusal("volume", "inspect", name)).toContain(`get ${name}: no such volume`);
  });

  test.each([
    [["a"], "create a: volume name is too short, names should be at least two alphanumeric"],
    [["a/b"], 'create a/b: "a/b" includes invalid characters for a local volume name, only'],
    [["-o", "foo=bar", "xx"], 'create xx: invalid option: "foo"'],
    [["-o", "size=lots", "xx"], "invalid size: 'lots'"],
    [["-o", "type=tmpfs", "xx"], 'create xx: missing required option: "device"'],
    [["-o", "device=x", "xx"], 'create xx: missing required option: "type"'],
  ])("volume create %j is refused", async (args, message) => {
    expect(await refusal("volume", "create", ...args)).toContain(message);
  });

  test.each([
    ["dangling=x", "invalid filter 'dangling=[x]'"],
    ["foo=bar", "invalid filter 'foo'"],
  ])("volume ls -f %s is refused", async (filter, message) => {
    expect(await refusal("volume", "ls", "-f", filter)).toContain(message);
  });

  test("data outlives containers, and a volume in use stays", async () => {
    const volume = volumeName();
    const writer = target.name();
    await target.ok([
      ...["run", "--name", writer, "-v", `${volume}:/data`, image, "sh", "-c"],
      "echo kept > /data/f",
    ]);
    const id = await target.ok(["inspect", "-f", "{{.Id}}", writer]);
    expect(await refusal("volume", "rm", "-f", volume)).toBe(
      `Error response from daemon: remove ${volume}: volume is in use - [${id}]`,
    );
    expect(await target.ok(["ps", "-aq", "--no-trunc", "-f", `volume=${volume}`])).toBe(id);
    const format = "{{.Names}} {{.Mounts}} {{.LocalVolumes}}";
    const row = await target.ok([
      ...["ps", "-a", "--no-trunc", "-f", "volume=/data", "-f", `name=${writer}`],
      ...["--format", format],
    ]);
    expect(row).toBe(`${writer} ${volume} 1`);
    await target.ok(["rm", "-v", writer]);
    const read = ["run", "--rm", "-v", `${volume}:/data:ro`, image, "sh", "-c"];
    expect(await target.ok([...read, "cat /data/f"])).toBe("kept");
    const denied = await target.docker([...read, "echo x > /data/f"]);
    expect(denied.stderr).toContain("Read-only file system");
    expect(await target.ok(["volume", "rm", volume])).toBe(volume);
  });

  test("inspect shows the mounts of a container", async () => {
    const [one, two, three] = [volumeName(), volumeName(), volumeName()];
    const name = target.name();
    await target.ok([
      ...[
        "create",
        "--name",
        name,
        "-v",
        `${one}:/data`,
        "-v",
        "/anon",
        "-v",
        `${two}:/t:ro,nocopy`,
      ],
      ...["--mount", `type=volume,src=${three},dst=/m,volume-label=q=r,readonly`],
      ...["--mount", "type=tmpfs,dst=/tm,tmpfs-size=1m,tmpfs-mode=1770"],
      ...["-v", "/tmp:/host:ro", image, "sh"],
    ]);
    const mounts = await json(["inspect", "-f", "{{json .Mounts}}", name]);
    const point = (Name: string, Destination: string, Mode: string, RW: boolean) => ({
      ...{ Type: "volume", Name, Destination, Driver: "local", Mode, RW, Propagation: "" },
      Source: expect.stringMatching(/\/volumes\/.*\/_data$/),
    });
    const sorted = mounts.toSorted((a: { Destination: string }, b: { Destination: string }) =>
      a.Destination < b.Destination ? -1 : 1,
    );
    expect(sorted).toEqual([
      point(expect.stringMatching(/^[0-9a-f]{64}$/) as unknown as string, "/anon", "", true),
      point(one, "/data", "z", true),
      {
        ...{ Type: "bind", Source: "/tmp", Destination: "/host", Mode: "ro", RW: false },
        Propagation: "rprivate",
      },
      point(three, "/m", "z", false),
      point(two, "/t", "ro,nocopy", false),
      { Type: "tmpfs", Source: "", Destination: "/tm", Mode: "", RW: true, Propagation: "" },
    ]);
    expect(await json(["inspect", "-f", "{{json .Config.Volumes}}", name])).toEqual({
      "/anon": {},
    });
    expect(await json(["volume", "inspect", "-f", "{{json .Labels}}", three])).toEqual({ q: "r" });
  });

  test("the volumes of another container, and what `rm -v` takes with it", async () => {
    const [first, second] = [target.name(), target.name()];
    const volume = volumeName();
    await target.ok([
      ...["create", "--name", first, "-v", `${volume}:/data`, "-v", "/anon", "-v", "/tmp:/host"],
      ...[image, "sh"],
    ]);
    await target.ok(["create", "--name", second, "--volumes-from", `${first}:ro`, image, "sh"]);
    const mounts = await json(["inspect", "-f", "{{json .Mounts}}", second]);
    expect(mounts).toHaveLength(3);
    for (const mount of mounts) expect(mount).toMatchObject({ Mode: "", RW: false });
    const anonymous = mounts.find(
      ({ Destination }: { Destination: string }) => Destination === "/anon",
    ).Name;
    const isThere = async (name: string) =>
      (await target.docker(["volume", "inspect", name])).status === 0;
    await target.ok(["rm", "-v", first]);
    expect(await isThere(anonymous)).toBe(true);
    await target.ok(["rm", "-v", second]);
    expect(await isThere(anonymous)).toBe(false);
    expect(await isThere(volume)).toBe(true);
  });

  test("an empty volume is filled from the image, nocopy leaves it", async () => {
    const volume = volumeName();
    const run = (mount: string, script: string) =>
      target.ok(["run", "--rm", "-v", mount, image, "/bin/sh", "-c", script]);
    expect(await run(`${volume}:/bin`, "test -x /bin/sh; stat -c '%a %u:%g' /bin")).toBe("755 0:0");
    expect(await run(`${volume}:/elsewhere`, "test -x /elsewhere/sh; echo $?")).toBe("0");
    const bare = volumeName();
    expect(await run(`${bare}:/etc:nocopy`, "test -e /etc/passwd; echo $?")).toBe("1");
  });

  test.each([
    [
      ["-v", "V:/"],
      `'V:/': invalid mount config for type "volume": invalid specification: destination can't be '/'`,
    ],
    [
      ["-v", "V:data"],
      `invalid mount config for type "volume": invalid mount path: 'data' mount path must be absolute`,
    ],
    [["-v", "V:/x:foo"], "invalid mode: foo"],
    [
      ["-v", "V:/x:rshared"],
      `invalid mount config for type "volume": field BindOptions must not be specified`,
    ],
    [["-v", "V:/x", "-v", "other:/x"], "Duplicate mount point: /x"],
    [["-v", "V:/x", "--tmpfs", "/x"], "Duplicate mount point: /x"],
    [["-v", "/x:ro"], "invalid volume specification: '/x:ro'"],
    [["-v", "V:/x:a:b"], "invalid volume specification: 'V:/x:a:b'"],
    [["-v", "a b:/x"], 'create a b: "a b" includes invalid characters for a local volume name'],
    [["-v", "V:/bin/busybox"], "busybox is not directory"],
    [["-v", "/bin/busybox"], "cannot mount volume over existing file, file exists "],
    [["--volumes-from", "nobody"], "No such container: nobody"],
    [["--volumes-from", ""], "volumes-from specification cannot be an empty string"],
    [["--volumes-from", "x:nocopy"], "invalid mode: nocopy"],
    [
      ["--mount", "src=V,dst=/x,volume-subpath=../a"],
      "subpath must be a relative path within the volume",
    ],
    [["--mount", "dst=/x,volume-subpath=a"], "must not set Subpath when using anonymous volumes"],
    [["--mount", "dst=/x,readonly"], "must not set ReadOnly mode when using anonymous volumes"],
    [["--mount", "type=foo,dst=/x"], 'invalid mount config for type "foo": mount type unknown'],
  ])("create %j is refused", async (flags, message) => {
    const volume = volumeName();
    const args = flags.map((flag) => flag.replace(/\bV\b/g, volume));
    expect(await refusal("create", "--name", target.name(), ...args, image, "true")).toContain(
      message.replaceAll(/'V:/g, `'${volume}:`),
    );
  });

  test("a part of a volume is mounted, and none that is not there", async () => {
    const volume = volumeName();
    const run = (mount: string, script: string) =>
      target.ok(["run", "--rm", "--mount", mount, image, "sh", "-c", script]);
    await run(`src=${volume},dst=/v`, "mkdir -p /v/a/b; echo part > /v/a/b/f");
    expect(await run(`src=${volume},dst=/v,volume-subpath=a/b`, "cat /v/f")).toBe("part");
    const name = target.name();
    const mount = `src=${volume},dst=/v,volume-subpath=nope`;
    await target.ok(["create", "--name", name, "--mount", mount, image, "true"]);
    expect(await refusal("start", name)).toMatch(
      /cannot access path .*_data\/nope: .*no such file/,
    );
  });

  test("options of the local driver are a mount while a container runs", async () => {
    const volume = await create("-o", "type=tmpfs", "-o", "device=tmpfs", "-o", "o=size=2m");
    const run = ["run", "--rm", "-v", `${volume}:/m`, image, "sh", "-c"];
    expect(await target.ok([...run, "grep ' /m ' /proc/mounts; echo 1 > /m/f"])).toContain(
      "size=2048k",
    );
    expect(await target.ok([...run, "ls /m"])).toBe("");
    const missing = await create("-o", "type=none", "-o", "device=/nonexistent", "-o", "o=bind");
    const { status, stderr } = await target.docker([
      ...["run", "--rm", "-v", `${missing}:/m`, image, "true"],
    ]);
    expect(status).toBe(127);
    expect(stderr).toMatch(/error while mounting volume '.*_data': failed to mount local volume: /);
  });

  test("prune takes anonymous volumes, and -a named ones", async () => {
    const mark = `prune-${process.pid}`;
    const filter = ["--filter", `label=${mark}`];
    const named = await create("--label", mark);
    const anonymous = await target.ok(["volume", "create", "--label", mark]);
    expect(anonymous).toMatch(/^[0-9a-f]{64}$/);
    expect(await target.ok(["volume", "prune", "-f", ...filter])).toBe(
      `Deleted Volumes:\n${anonymous}\n\nTotal reclaimed space: 0B`,
    );
    expect(await target.ok(["volume", "prune", "-fa", ...filter])).toBe(
      `Deleted Volumes:\n${named}\n\nTotal reclaimed space: 0B`,
    );
    expect(await target.ok(["volume", "prune", "-fa", ...filter])).toBe(
      "Total reclaimed space: 0B",
    );
    for (const [filter, message] of [
      ["foo=bar", "invalid filter 'foo'"],
      ["dangling=true", "invalid filter 'dangling'"],
      ["all=maybe", `invalid filter 'all': strconv.ParseBool: parsing "maybe": invalid syntax`],
    ] as const)
      expect(await refusal("volume", "prune", "-f", "--filter", filter)).toContain(message);
  });

  test("the API's answers to what the CLI does not send", async () => {
    const volume = volumeName();
    const ask = async (method: string, path: string, body?: string) => {
      const response = await fetch(`http://d/v1.44${path}`, {
        ...{ unix: target.socket, method },
        ...(body !== undefined && { body, headers: { "content-type": "application/json" } }),
      });
      const text = await response.text();
      return { status: response.status, ...(text && (JSON.parse(text) as { message?: string })) };
    };
    const create = (body: object) => ask("POST", "/volumes/create", JSON.stringify(body));
    expect(await create({ Name: volume, Labels: { a: "1" } })).toMatchObject({ status: 201 });
    // As it is, whatever else is asked.
    const again = { Name: volume, Labels: { b: "2" }, DriverOpts: { type: "t", device: "d" } };
    expect(await create(again)).toMatchObject({ status: 201, Labels: { a: "1" }, Options: null });
    expect((await ask("POST", "/volumes/create", "{")).status).toBe(400);
    expect(await ask("PUT", `/volumes/${volume}`, "{}")).toEqual({
      status: 503,
      message: "volume update only valid for cluster volumes, but swarm is unavailable",
    });
    expect(await ask("GET", "/volumes?filters=garbage")).toMatchObject({ status: 400 });
    const both = encodeURIComponent('{"dangling":["true","false"]}');
    expect(await ask("GET", `/volumes?filters=${both}`)).toEqual({
      status: 400,
      message: "invalid filter 'dangling=[true false]'",
    });
    const names = encodeURIComponent(JSON.stringify({ name: ["no-such", volume] }));
    expect(await ask("GET", `/volumes?filters=${names}`)).toMatchObject({
      Volumes: [{ Name: volume }],
    });
    expect(await ask("DELETE", `/volumes/${volume}`)).toEqual({ status: 204 });
    expect(await ask("DELETE", `/volumes/${volume}`)).toEqual({
      status: 404,
      message: `get ${volume}: no such volume`,
    });
    expect(await ask("DELETE", `/volumes/${volume}?force=1`)).toEqual({ status: 204 });
  });

  test("events and disk usage tell of volumes", async () => {
    const volume = volumeName();
    const since = String(Date.now() / 1000 - 1);
    await target.ok([
      "run",
      "--rm",
      "-v",
      `${volume}:/v`,
      image,
      "sh",
      "-c",
      "head -c 8192 /bin/busybox > /v/f",
    ]);
    const usage = await target.ok(["system", "df", "-v", "--format", "{{json .Volumes}}"]);
    const own = JSON.parse(usage).find(({ Name }: { Name: string }) => Name === volume);
    expect(own).toMatchObject({ Links: "0", Size: "8.192kB", Driver: "local" });
    await target.ok(["volume", "rm", volume]);
    const events = await target.ok([
      ...["events", "--since", since, "--until", String(Date.now() / 1000 + 1)],
      ...["--filter", `volume=${volume}`, "--format", "{{.Action}}"],
    ]);
    expect(events.split("\n")).toEqual(["create", "mount", "unmount", "destroy"]);
  });
});
