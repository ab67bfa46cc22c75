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

async function network(...options: string[]): Promise<string> {
  const name = `conf-names-${process.pid}-${made.length}`;
  made.push(name);
  await target.ok(["network", "create", ...options, name]);
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

async function addressIn({ name }: Container, net: string): Promise<string> {
  const format = `{{(index .NetworkSettings.Networks "${net}").IPAddress}}`;
  return await target.ok(["inspect", "-f", format, name]);
}

/** The addresses that a container finds under a name, in order; empty when it finds none. */
async function look({ name }: Container, wanted: string): Promise<string[]> {
  const { stdout } = await target.docker(["exec", name, "busybox", "nslookup", wanted]);
  const [, ...answers] = stdout.split(/^Name:/m);
  return answers.flatMap((each) => /^Address(?: 1)?:\s*(\d\S*)/m.exec(each)?.[1] ?? []).sort();
}

const resolvConf = ({ name }: Container) => target.ok(["exec", name, "cat", "/etc/resolv.conf"]);

describe.skipIf(!able)("names of containers [needs docker CLI]", () => {
  test(
    "a container is found by its name, its alias and its short id, in its networks alone",
    async () => {
      const [front, back] = [await network(), await network()];
      const web = await container("--network", front, "--network-alias", "site");
      const asker = await container("--network", front);
      const stranger = await container("--network", back);
      const address = await addressIn(web, front);
      const known = [web.name, "site", web.id.slice(0, 12), `${web.name}.${front}`, "SITE"];
      for (const name of known)
        expect([name, ...(await look(asker, name))]).toEqual([name, address]);
      expect(await look(stranger, web.name)).toEqual([]);
    },
    timeout,
  );

  test(
    "an alias that several containers have leads to all of them",
    async () => {
      const net = await network();
      const all = [
        await container("--network", net, "--network-alias", "pool"),
        await container("--network", net, "--network-alias", "pool"),
      ];
      const asker = await container("--network", net);
      const addresses = await Promise.all(all.map((each) => addressIn(each, net)));
      expect(await look(asker, "pool")).toEqual(addresses.sort());
    },
    timeout,
  );

  test(
    "a name comes and goes with its container, and with its place in the network",
    async () => {
      const net = await network();
      const asker = await container("--network", net);
      const other = await container();
      expect(await look(asker, other.name)).toEqual([]);
      await target.ok(["network", "connect", "--alias", "late", net, other.name]);
      expect(await look(asker, "late")).toEqual([await addressIn(other, net)]);
      expect(await look(other, asker.name)).toEqual([await addressIn(asker, net)]);
      await target.ok(["network", "disconnect", net, other.name]);
      expect(await look(asker, other.name)).toEqual([]);
      await target.ok(["network", "connect", net, other.name]);
      await target.ok(["rm", "-f", other.name]);
      expect(await look(asker, other.name)).toEqual([]);
    },
    timeout,
  );

  test(
    "a container that starts again has its name again",
    async () => {
      const net = await network();
      const asker = await container("--network", net);
      const other = await container("--network", net);
      await target.ok(["stop", "-t", "0", other.name]);
      expect(await look(asker, other.name)).toEqual([]);
      await target.ok(["start", other.name]);
      expect(await look(asker, other.name)).toEqual([await addressIn(other, net)]);
    },
    timeout,
  );

  test(
    "an address leads back to the name",
    async () => {
      const net = await network();
      const other = await container("--network", net);
      const asker = await container("--network", net);
      const address = await addressIn(other, net);
      const { stdout } = await target.docker(["exec", asker.name, "busybox", "nslookup", address]);
      expect(stdout).toContain(`${other.name}.${net}`);
    },
    timeout,
  );

  test(
    "a search domain stands behind the names that a program asks for",
    async () => {
      const net = await network();
      const web = await container("--network", net, "--network-alias", "shop.lan");
      const asker = await container("--network", net, "--dns-search", "lan");
      // Of busybox's tools ping asks as programs do, by the C library.
      const { stdout } = await target.docker([
        "exec",
        asker.name,
        "busybox",
        "ping",
        "-c1",
        "shop",
      ]);
      expect(stdout).toContain(await addressIn(web, net));
    },
    timeout,
  );

  test(
    "the ports that a container exposes are found by name, beyond Docker",
    async () => {
      if (!target.ours) return;
      const net = await network();
      const web = await container("--network", net, "--expose", "8080", "-p", "127.0.0.1::9090");
      const asker = await container("--network", net);
      const services = async (name: string) => {
        const query = ["exec", asker.name, "busybox", "nslookup", "-type=srv", name];
        const { stdout } = await target.docker(query);
        return [...stdout.matchAll(/service = \d+ \d+ (\d+) (\S+)/g)].map(([, ...found]) => found);
      };
      const host = `${web.name}.${net}`;
      expect(await services(`_tcp.${web.name}`)).toEqual([
        ["8080", host],
        ["9090", host],
      ]);
      expect(await services(`_9090._tcp.${web.name}`)).toEqual([["9090", host]]);
      expect(await services(`_9091._tcp.${web.name}`)).toEqual([]);
    },
    timeout,
  );

  test(
    "resolv.conf names the resolver where there are names, and not on the default bridge",
    async () => {
      const net = await network();
      const named = await resolvConf(await container("--network", net));
      expect(named).toMatch(/^nameserver 127\.0\.0\.11$/m);
      expect(named).toMatch(/^options .*ndots:0/m);
      const options = [
        "--dns",
        "192.0.2.53",
        "--dns-search",
        "a.example",
        "--dns-option",
        "ndots:2",
      ];
      const asked = await resolvConf(await container("--network", net, ...options));
      expect(asked).toMatch(/^nameserver 127\.0\.0\.11$/m);
      expect(asked).toMatch(/^search a\.example$/m);
      expect(asked).toMatch(/^options ndots:2$/m);
      expect(await resolvConf(await container())).not.toContain("127.0.0.11");
    },
    timeout,
  );
});
