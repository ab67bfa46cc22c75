import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const able = dockerPath !== null && isRoot;
const timeout = 300_000;

let target: DockerTarget;
const made: string[] = [];

beforeAll(async () => {
  if (able) target = await openDockerTarget();
}, timeout);

afterAll(async () => {
  if (!able) return;
  const names = (await target.ok(["ps", "-aq", "-f", `name=conf-${process.pid}-`])).split("\n");
  if (names[0] !== "") await target.docker(["rm", "-f", ...names]);
  if (made.length > 0) await target.docker(["network", "rm", ...made]);
  await target[Symbol.asyncDispose]();
}, timeout);

async function network(): Promise<string> {
  const name = `conf-links-${process.pid}-${made.length}`;
  made.push(name);
  await target.ok(["network", "create", name]);
  return name;
}

interface Container {
  readonly name: string;
  readonly id: string;
}

async function container(...options: string[]): Promise<Container> {
  const name = target.name();
  const id = await target.ok(["run", "-d", "--name", name, ...options, image, "sleep", "1000"]);
  return { name, id };
}

const shown = async ({ name }: Container, format: string): Promise<unknown> =>
  JSON.parse(await target.ok(["inspect", "-f", `{{json ${format}}}`, name]));

const addressIn = async (of: Container, net: string): Promise<string> =>
  `${await shown(of, `(index .NetworkSettings.Networks "${net}").IPAddress`)}`;

/** The address that a container finds under a name; "" when it finds none. */
async function look({ name }: Container, wanted: string): Promise<string> {
  const { stdout } = await target.docker(["exec", name, "busybox", "nslookup", wanted]);
  const [, answer = ""] = stdout.split(/^Name:/m);
  return /^Address(?: 1)?:\s*(\d\S*)/m.exec(answer)?.[1] ?? "";
}

/** The lines of a container's hosts file that have a name. */
async function hostsLines({ name }: Container, wanted: string): Promise<string[]> {
  const text = await target.ok(["exec", name, "cat", "/etc/hosts"]);
  return text.split("\n").filter((line) => line.split(/\s+/).slice(1).includes(wanted));
}

/** What a create or a run says when it fails. */
async function refusal(verb: "create" | "run", ...options: string[]): Promise<string> {
  const argv = [verb, "--name", target.name(), ...options, image, "true"];
  const { status, stderr } = await target.docker(argv);
  expect(status).toBe(verb === "create" ? 1 : 125);
  return stderr;
}

describe.skipIf(!able)("links [needs docker CLI]", () => {
  test(
    "in a network of the user's own a link is a name for one container alone",
    async () => {
      const net = await network();
      const db = await container("--network", net);
      const links = [
        "--link",
        `${db.name}:mysql`,
        "--link",
        db.id.slice(0, 12),
        "--link",
        "no:one",
      ];
      const web = await container("--network", net, ...links);
      const other = await container("--network", net);
      const address = await addressIn(db, net);
      for (const name of ["mysql", `mysql.${net}`, db.id.slice(0, 12), db.name])
        expect([name, await look(web, name)]).toEqual([name, address]);
      expect(await look(web, "one")).toBe("");
      expect(await look(other, "mysql")).toBe("");
      expect(await shown(web, ".HostConfig.Links")).toBeNull();
      const settings = `(index .NetworkSettings.Networks "${net}").Links`;
      expect(await shown(web, settings)).toEqual([
        `${db.name}:mysql`,
        db.id.slice(0, 12),
        "no:one",
      ]);
    },
    timeout,
  );

  test(
    "a link comes and goes with the network that a container joins while it runs",
    async () => {
      const net = await network();
      const db = await container("--network", net);
      const web = await container();
      await target.ok(["network", "connect", "--link", `${db.name}:mysql`, net, web.name]);
      expect(await look(web, "mysql")).toBe(await addressIn(db, net));
      await target.ok(["network", "disconnect", net, web.name]);
      expect(await look(web, "mysql")).toBe("");
    },
    timeout,
  );

  test(
    "on the default bridge a link is a line of the hosts file, which follows the other container",
    async () => {
      const db = await container("--hostname", "database");
      const web = await container("--link", `${db.name}:mysql`, "--link", db.name);
      const address = await addressIn(db, "bridge");
      expect(await hostsLines(web, "mysql")).toEqual([`${address}\tmysql database ${db.name}`]);
      expect(await hostsLines(web, "database")).toHaveLength(2);
      expect(await shown(web, ".HostConfig.Links")).toEqual([
        `/${db.name}:/${web.name}/mysql`,
        `/${db.name}:/${web.name}/${db.name}`,
      ]);
      await target.ok(["stop", "-t", "0", db.name]);
      await container();
      await target.ok(["start", db.name]);
      const moved = await addressIn(db, "bridge");
      expect(await hostsLines(web, "mysql")).toEqual([`${moved}\tmysql database ${db.name}`]);
      await target.ok(["restart", "-t", "0", web.name]);
      expect(await hostsLines(web, "mysql")).toEqual([`${moved}\tmysql database ${db.name}`]);
    },
    timeout,
  );

  test(
    "a link is taken from a container that runs, and the default name is no link",
    async () => {
      const db = await container();
      const links = ["--link", `${db.name}:mysql`, "--link", `${db.name}:kept`];
      const web = await container(...links);
      expect(await hostsLines(web, "mysql")).toHaveLength(1);
      expect(await target.ok(["rm", "--link", `${web.name}/mysql`])).toBe(`${web.name}/mysql`);
      expect(await hostsLines(web, "mysql")).toEqual([]);
      expect(await hostsLines(web, "kept")).toHaveLength(1);
      expect(await shown(web, ".HostConfig.Links")).toEqual([`/${db.name}:/${web.name}/kept`]);
      await target.ok(["restart", "-t", "0", web.name]);
      expect(await hostsLines(web, "mysql")).toEqual([]);
      const refused = async (name: string) => (await target.docker(["rm", "--link", name])).stderr;
      const gone = `${web.name}/mysql`;
      expect(await refused(gone)).toContain(`No such container: ${gone}`);
      expect(await refused(web.name)).toContain(
        "Conflict, cannot remove the default link name of the container",
      );
    },
    timeout,
  );

  test(
    "a link that cannot be made is refused in Docker's words",
    async () => {
      const net = await network();
      const db = await container();
      const far = await container("--network", net);
      expect(await refusal("create", "--link", "nobody:x")).toContain(
        "could not get container for nobody: No such container: nobody",
      );
      expect(await refusal("create", "--network", "host", "--link", `${db.name}:x`)).toContain(
        "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
      );
      expect(
        await refusal("create", "--network", `container:${db.name}`, "--link", `${db.name}:x`),
      ).toContain(
        "conflicting options: container type network can't be used with links. This would result in undefined behavior",
      );
      expect(await refusal("run", "--link", `${far.name}:x`)).toContain(
        `container ${far.id} not attached to default bridge network`,
      );
      await target.ok(["stop", "-t", "0", db.name]);
      expect(await refusal("run", "--link", `${db.name}:x`)).toMatch(
        new RegExp(`Cannot link to a non running container: /${db.name} AS /\\S+/x`),
      );
    },
    timeout,
  );
});
