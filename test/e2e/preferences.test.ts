/** What a user sets once, in config.json, and what the command line tells before it changes something. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { busyboxTree } from "../support/engine.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;
const image = "busybox:prefs";

describe.skipIf(!isRoot)("preferences [needs root]", () => {
  const cli = new ThimbleCli();
  const config = join(cli.directory, "docker");
  const env = { DOCKER_CONFIG: config };

  beforeAll(async () => {
    mkdirSync(config);
    await cli.ok(["import", "-", image], { input: busyboxTree() });
    await cli.ok([
      ...["run", "-d", "--name", "web", "--network", "none", "--health-cmd", "true"],
      ...["-v", "/anonymous", image, "sleep", "1000"],
    ]);
  });
  afterAll(() => cli[Symbol.asyncDispose]());

  test("config.json gives formats, aliases, proxies and headers; a flag goes before it", async () => {
    const settings = {
      psFormat: "{{.Names}}={{.State}}",
      aliases: { mine: "ps --filter name=web" },
      proxies: { default: { httpProxy: "http://proxy.example:3128" } },
      HttpHeaders: { "X-Meta-Team": "shop" },
    };
    writeFileSync(join(config, "config.json"), JSON.stringify(settings));
    expect(await cli.ok(["ps"], { env })).toBe("web=running");
    expect(await cli.ok(["mine"], { env })).toBe("web=running");
    expect(await cli.ok(["ps", "--format", "{{.Image}}"], { env })).toBe(image);
    const words = ["run", "--rm", "--network", "none", "-e", "http_proxy=own", image, "env"];
    const variables = await cli.ok(words, { env });
    expect(variables).toContain("HTTP_PROXY=http://proxy.example:3128");
    expect(variables).toContain("http_proxy=own");
  });

  test("ps --wide shows health, restarts and memory; without it a pipe gets docker's columns", async () => {
    const [head = "", line = ""] = (await cli.ok(["ps", "--wide"])).split("\n");
    expect(head.split(/ {2,}/)).toEqual(
      "CONTAINER ID,IMAGE,COMMAND,CREATED,STATUS,HEALTH,RESTARTS,MEMORY,PORTS,NAMES".split(","),
    );
    expect(line).toMatch(/ (starting|healthy) +0 +[\d.]+[KM]iB /);
    expect((await cli.ok(["ps"])).split("\n")[0]).not.toContain("HEALTH");
  });

  test("--dry-run names what would go and what stands in the way, and changes nothing", async () => {
    await cli.ok(["create", "--name", "idle", "--network", "none", image, "true"]);
    await cli.ok(["volume", "create", "data"]);
    await cli.ok(["network", "create", "front"]);
    expect(await cli.run(["rm", "--dry-run", "web"])).toMatchObject({
      status: 1,
      stderr: "container web is running: only --force would remove it\n",
    });
    expect(await cli.ok(["rm", "--dry-run", "-fv", "web"])).toMatch(
      /^would remove container web \(running\)\nwould remove volume [0-9a-f]{64}$/,
    );
    const refused = await cli.run(["rmi", "--dry-run", image]);
    expect(refused.stderr).toMatch(/image busybox:prefs is used by (web|idle), (web|idle)/);
    const lists = {
      "container prune": /^would remove container idle \(Created, /,
      "network prune": /^would remove network front$/,
      "network rm front": /^would remove network front$/,
      "volume rm data": /^would remove volume data$/,
      "volume prune --all": /^would remove volume data$/,
      "image prune --all": /^nothing would be removed$/,
    };
    for (const [words, told] of Object.entries(lists))
      expect(await cli.ok([...words.split(" "), "--dry-run"])).toMatch(told);
    expect((await cli.ok(["ps", "-aq"])).split("\n")).toHaveLength(2);
    expect(await cli.ok(["volume", "ls", "-q"])).toContain("data");
    expect(await cli.ok(["network", "ls", "-q", "--filter", "name=front"])).not.toBe("");
  });

  test("--dry-run of what changes a container's state says how, and what stands in the way", async () => {
    const said = {
      "stop web": "would stop container web: SIGTERM, and SIGKILL after 10 s",
      "stop -t -1 -s INT web": "would stop container web: INT",
      "stop idle": "container idle is created: nothing would be done",
      "restart web idle": "would stop and start container web\nwould start container idle",
      "kill -s HUP web": "would send HUP to container web",
      "start web idle":
        "container web is running: nothing would be done\nwould start container idle",
      "pause web": "would pause container web",
      "update -m 64m --restart no web": "would change container web: --memory, --restart",
    };
    for (const [words, told] of Object.entries(said))
      expect(await cli.ok([...words.split(" "), "--dry-run"])).toBe(told);
    const refused = {
      "kill idle": "container idle is created, and does not run\n",
      "pause idle": "container idle is created, and does not run\n",
      "unpause web": "container web is not paused\n",
      "stop absent": "Error response from daemon: No such container: absent\n",
    };
    for (const [words, stderr] of Object.entries(refused))
      expect(await cli.run([...words.split(" "), "--dry-run"])).toMatchObject({
        status: 1,
        stderr,
      });
    const states = await cli.ok(["ps", "-a", "--format", "{{.Names}} {{.State}}"]);
    expect(states.split("\n").sort()).toEqual(["idle created", "web running"]);
  });

  test("--dry-run of what makes and names things says what would come, and what stands in the way", async () => {
    await cli.ok(["tag", image, "busybox:other"]);
    await cli.ok(["volume", "snapshot", "data", "monday"]);
    const said = {
      "rename idle rested": /^would rename container idle to rested$/,
      [`tag ${image} fresh`]: /^would name image [0-9a-f]{12} fresh:latest$/,
      [`tag ${image} busybox:other`]: /busybox:other, as it is named$/,
      "commit idle busybox:other":
        /^would make an image named busybox:other, which is [0-9a-f]{12} now of container idle, whose changes take 0B$/,
      "commit web": /^would pause it, and make an image without a name of container web, /,
      [`import ${import.meta.path} fresh`]:
        /^would make an image named fresh:latest of .*preferences\.test\.ts \([\d.]+kB\)$/,
      [`load -i ${import.meta.path}`]: /^would load the images in .*preferences\.test\.ts \(/,
      [`push ${image}`]:
        /^would push busybox:prefs to docker\.io: image [0-9a-f]{12}, 1 layers of /,
      "network create --subnet 10.7.0.0/24 back":
        /^would create network back: bridge, its addresses from 10\.7\.0\.0\/24$/,
      "network connect front idle":
        /^would connect container idle to network front, from its next start on$/,
      "volume create other": /^would create volume other by driver local$/,
      "volume create data": /^volume data is there already: nothing would be done$/,
      "volume clone data@monday copy":
        /^would create volume copy with the files of snapshot monday of volume data$/,
      "volume rename data other": /^would rename volume data to other$/,
      "volume snapshot data tuesday": /^would keep the files of volume data as data@tuesday$/,
      "volume rollback data monday":
        /^would give volume data the files of snapshot monday of volume data; its own are lost$/,
    };
    for (const [words, told] of Object.entries(said))
      expect(await cli.ok([...words.split(" "), "--dry-run"])).toMatch(told);
    const refused = {
      "rename idle web": /^container [0-9a-f]{12} is named web already\n$/,
      "tag absent fresh": /No such image: absent/,
      "network create front": /network with name front already exists/,
      "network disconnect front idle": /^container idle is not connected to network front\n$/,
      "volume clone data data": /^there is a volume data already\n$/,
      "volume rollback data friday": /^volume data has no snapshot friday\n$/,
      "load -i /absent": /no such file or directory/,
      "context rm absent": /context "absent" does not exist/,
    };
    for (const [words, stderr] of Object.entries(refused)) {
      const { status, stderr: told } = await cli.run([...words.split(" "), "--dry-run"]);
      expect(told).toMatch(stderr);
      expect(status).toBe(1);
    }
    expect(await cli.ok(["ps", "-a", "--format", "{{.Names}}"])).toMatch(/^(web\nidle|idle\nweb)$/);
    expect(await cli.ok(["images", "-q", "fresh"])).toBe("");
    expect(await cli.ok(["volume", "ls", "-q", "--filter", "name=other"])).toBe("");
    await cli.ok(["rmi", "busybox:other"]);
    await cli.ok(["volume", "rm", "data@monday"]);
  });

  test("system prune lists, asks and removes; what only a stopped container holds goes with it", async () => {
    await cli.importBusybox("spare:1");
    await cli.ok(["create", "--name", "last", "-v", "/own", "spare:1", "true"]);
    const args = ["system", "prune", "-a", "--volumes"];
    const listed = await cli.ok([...args, "--dry-run"]);
    expect(listed).toMatch(
      /^would remove container last .*\nwould remove container idle .*\nwould remove network front\nwould remove volume [0-9a-f]{64}\nwould remove the name spare:1\nwould remove image sha256:[0-9a-f]{64} \([\d.]+MB\)$/,
    );
    const asked = await cli.run(args, { input: "n\n" });
    expect(asked).toMatchObject({ status: 0, stderr: "" });
    expect(asked.stdout).toContain("  - all images without at least one container");
    expect(await cli.ok([...args, "--dry-run"])).toBe(listed);
    const told = await cli.ok([...args, "--force"]);
    const kinds = told.split("\n").filter((line) => /^(Deleted|Total)/.test(line));
    expect(kinds).toEqual([
      ...["Deleted Containers:", "Deleted Networks:", "Deleted Volumes:", "Deleted Images:"],
      expect.stringMatching(/^Total reclaimed space: [\d.]+[kM]?B$/),
    ]);
    expect(await cli.ok([...args, "--dry-run"])).toBe("nothing would be removed");
    const refused = await cli.run([...args, "--filter", "until=1h"]);
    expect([refused.status, refused.stderr]).toEqual([
      1,
      'ERROR: The "until" filter is not supported with "--volumes"\n',
    ]);
  });
});
