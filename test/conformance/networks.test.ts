import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createNowhere, deleteLink, RouteTable } from "#kernel";
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

/** A network of the test's own, and its id. */
async function network(...options: string[]): Promise<{ name: string; id: string }> {
  const name = `conf-net-${process.pid}-${made.length}`;
  made.push(name);
  return { name, id: await target.ok(["network", "create", ...options, name]) };
}

async function container(...options: string[]): Promise<string> {
  const name = target.name();
  await target.ok(["run", "-d", "--name", name, ...options, image, "sleep", "1000"]);
  return name;
}

async function failure(...args: string[]): Promise<string> {
  const { status, stderr } = await target.docker(args);
  expect(status).not.toBe(0);
  return stderr.trim();
}

async function json(...args: string[]) {
  return JSON.parse(await target.ok(args));
}

const inside = (name: string, ...args: string[]) => target.ok(["exec", name, ...args]);
const networksOf = (name: string) =>
  json("inspect", "-f", "{{json .NetworkSettings.Networks}}", name);

/** An interface of the host that leads nowhere. */
async function nowhere(name: string): Promise<AsyncDisposable> {
  const host = new RouteTable();
  await host
    .apply(createNowhere(name, "dummy"))
    .catch(() => host.apply(createNowhere(name, "ifb")));
  return {
    [Symbol.asyncDispose]: async () => {
      const link = await host.link(name);
      if (link) await host.apply(deleteLink(link.index));
    },
  };
}

describe.skipIf(!able)("networks [needs docker CLI]", () => {
  test(
    "are created, listed, inspected and removed",
    async () => {
      const { name, id } = await network(
        ...["--subnet", "10.91.3.0/24", "--gateway", "10.91.3.254", "--ip-range", "10.91.3.128/25"],
        ...["--aux-address", "router=10.91.3.130", "--label", "a=b", "--attachable"],
        ...["-o", "com.docker.network.driver.mtu=1400"],
      );
      expect(id).toMatch(/^[0-9a-f]{64}$/);
      const [shown] = await json("network", "inspect", name);
      expect(shown).toMatchObject({
        Name: name,
        Id: id,
        Scope: "local",
        Driver: "bridge",
        EnableIPv4: true,
        EnableIPv6: false,
        IPAM: {
          Driver: "default",
          Options: {},
          Config: [
            {
              Subnet: "10.91.3.0/24",
              IPRange: "10.91.3.128/25",
              Gateway: "10.91.3.254",
              AuxiliaryAddresses: { router: "10.91.3.130" },
            },
          ],
        },
        Internal: false,
        Attachable: true,
        Containers: {},
        Options: { "com.docker.network.driver.mtu": "1400" },
        Labels: { a: "b" },
      });
      const list = (...filters: string[]) =>
        target.ok(["network", "ls", "--format", "{{.Name}}", ...filters]);
      for (const filter of [`name=^${name}$`, `id=${id.slice(0, 12)}`])
        expect(await list("-f", filter)).toBe(name);
      expect(await list("-f", "label=a=b", "-f", `name=${name}`)).toBe(name);
      expect(await list("-f", "label=a=c", "-f", `name=${name}`)).toBe("");
      expect(await list("-f", "dangling=true", "-f", `name=${name}`)).toBe(name);
      expect((await list("-f", "type=builtin")).split("\n").sort()).toEqual([
        "bridge",
        "host",
        "none",
      ]);
      expect(await list("-f", "driver=null")).toBe("none");
      expect(await target.ok(["network", "rm", id.slice(0, 12)])).toBe(id.slice(0, 12));
      expect(await failure("network", "inspect", name)).toContain(`network ${name} not found`);
      expect(await target.ok(["network", "rm", "-f", name])).toBe("");
    },
    timeout,
  );

  test(
    "lead containers to another machine than the bridge where it is named so",
    async () => {
      const { name } = await network(
        ...["--subnet", "10.91.6.0/24", "--aux-address", "DefaultGatewayIPv4=10.91.6.254"],
      );
      const web = await container("--network", name);
      expect(await inside(web, "ip", "route")).toContain("default via 10.91.6.254 ");
      expect(await inside(web, "ping", "-c", "1", "10.91.6.1")).toContain("1 packets received");
      expect((await networksOf(web))[name].Gateway).toBe("10.91.6.254");
      await target.ok(["rm", "-f", web]);
    },
    timeout,
  );

  test(
    "that cannot be are refused in Docker's words",
    async () => {
      const { name } = await network("--subnet", "10.91.4.0/24");
      const create = (...args: string[]) => failure("network", "create", ...args, "conf-never");
      const cases: [want: string, ...args: string[]][] = [
        ["Pool overlaps with other one on this address space", "--subnet", "10.91.0.0/16"],
        ["invalid subnet bad: invalid CIDR block notation", "--subnet", "bad"],
        ["invalid subnet 10.91.5.9/24: it should be 10.91.5.0/24", "--subnet", "10.91.5.9/24"],
        [
          "failed to allocate gateway (10.91.5.0): Address already in use",
          ...["--subnet", "10.91.5.0/24", "--gateway", "10.91.5.0"],
        ],
        [
          "failed to allocate secondary ip address (a:10.91.5.1): Address already in use",
          ...["--subnet", "10.91.5.0/24", "--aux-address", "a=10.91.5.1"],
        ],
        ["bridge driver doesn't support multiple subnets"].concat([
          ...["--subnet", "10.91.5.0/24", "--subnet", "10.91.6.0/24"],
        ]) as [string, ...string[]],
        [
          "failed to parse com.docker.network.driver.mtu value: x",
          ...["-o", "com.docker.network.driver.mtu=x"],
        ],
        ["invalid MTU number: -1", "-o", "com.docker.network.driver.mtu=-1"],
        ['plugin "nodriver" not found', "-d", "nodriver"],
        ['only one instance of "host" network is allowed', "-d", "host"],
      ];
      for (const [want, ...args] of cases) expect(await create(...args)).toContain(want);
      expect(await failure("network", "create", name)).toContain(
        `network with name ${name} already exists`,
      );
      expect(await failure("network", "create", "bridge")).toContain(
        "operation is not permitted on predefined bridge network",
      );
      expect(await failure("network", "rm", "none")).toContain(
        "none is a pre-defined network and cannot be removed",
      );
      expect(await failure("network", "ls", "-f", "foo=bar")).toContain("invalid filter 'foo'");
    },
    timeout,
  );

  test(
    "of a container are shown with what was asked and what was given",
    async () => {
      const [front, back] = [await network(), await network("--subnet", "10.91.7.0/24")];
      const name = target.name();
      const start = ["--hostname", "hh", "--network", front.name, "--network-alias", "al"];
      const second = `name=${back.name},ip=10.91.7.40,alias=zz,gw-priority=3,driver-opt=com.docker.network.endpoint.ifname=back0`;
      await target.ok([
        "create",
        "--name",
        name,
        ...start,
        "--network",
        second,
        image,
        "sleep",
        "1000",
      ]);
      expect(await networksOf(name)).toMatchObject({
        [front.name]: { Aliases: ["al"], NetworkID: "", IPAddress: "", DNSNames: null },
        [back.name]: { IPAMConfig: { IPv4Address: "10.91.7.40" }, GwPriority: 3, EndpointID: "" },
      });
      await target.ok(["start", name]);
      const id = (await target.ok(["inspect", "-f", "{{.Id}}", name])).slice(0, 12);
      const running = await networksOf(name);
      expect(running[front.name]).toMatchObject({
        NetworkID: front.id,
        DNSNames: [name, "al", id, "hh"],
        IPAddress: expect.stringMatching(/^[0-9.]+$/),
      });
      expect(running[back.name]).toMatchObject({
        IPAddress: "10.91.7.40",
        IPPrefixLen: 24,
        Gateway: "10.91.7.1",
        DNSNames: [name, "zz", id, "hh"],
      });
      expect(await inside(name, "ip", "-4", "addr", "show", "back0")).toContain("10.91.7.40/24");
      expect(await inside(name, "ip", "route")).toContain("default via 10.91.7.1 dev back0");
      expect(await inside(name, "cat", "/etc/hosts")).toContain("10.91.7.40\thh");
      const [shown] = await json("network", "inspect", back.name);
      expect(Object.values(shown.Containers)).toMatchObject([
        { Name: name, IPv4Address: "10.91.7.40/24" },
      ]);
      expect(await failure("network", "rm", back.name)).toContain(
        `error while removing network: network ${back.name} has active endpoints (name:"${name}"`,
      );
      await target.ok(["restart", "-t", "0", name]);
      expect((await networksOf(name))[back.name].IPAddress).toBe("10.91.7.40");
      await target.ok(["stop", "-t", "0", name]);
      expect((await networksOf(name))[back.name]).toMatchObject({
        NetworkID: back.id,
        EndpointID: "",
        IPAddress: "",
        IPAMConfig: { IPv4Address: "10.91.7.40" },
      });
      await target.ok(["rm", name]);
    },
    timeout,
  );

  test(
    "are joined and left by containers that run",
    async () => {
      const { name } = await network("--subnet", "10.91.8.0/24");
      const box = await container();
      await target.ok(["network", "connect", "--ip", "10.91.8.9", "--alias", "q", name, box]);
      expect((await networksOf(box))[name]).toMatchObject({
        IPAMConfig: { IPv4Address: "10.91.8.9" },
        Aliases: ["q"],
        IPAddress: "10.91.8.9",
      });
      expect(await inside(box, "ip", "-4", "addr", "show", "eth1")).toContain("10.91.8.9/24");
      expect(await inside(box, "ping", "-c1", "-W2", "10.91.8.1")).toContain("1 packets received");
      expect(await failure("network", "connect", name, box)).toContain(
        `endpoint with name ${box} already exists in network ${name}`,
      );
      const other = await container();
      expect(await failure("network", "connect", "--ip", "10.91.8.9", name, other)).toContain(
        "Address already in use",
      );
      expect(await failure("network", "connect", "--ip", "10.92.8.9", name, other)).toContain(
        "no configured subnet or ip-range contain the IP address 10.92.8.9",
      );
      await target.ok(["network", "disconnect", "bridge", box]);
      expect(await inside(box, "ip", "route")).toContain("default via 10.91.8.1");
      await target.ok(["network", "disconnect", name, box]);
      expect(await inside(box, "ip", "addr")).not.toContain("eth");
      expect(await failure("network", "disconnect", name, box)).toContain(
        `is not connected to network ${name}`,
      );
      await target.ok(["network", "connect", name, other]);
      expect((await networksOf(other))[name].IPAddress).not.toBe("");
      await target.ok(["rm", "-f", box, other]);
      expect(await target.ok(["network", "rm", name])).toBe(name);
    },
    timeout,
  );

  test(
    "that are left take no published port along to the next owner of the address",
    async () => {
      const { name } = await network("--subnet", "10.91.9.0/24");
      const box = await container("--network", name, "--publish", "127.0.0.1::80");
      const published = () => json("inspect", "-f", "{{json .NetworkSettings.Ports}}", box);
      const [, address = ""] = /"HostPort":"(\d+)"/.exec(JSON.stringify(await published())) ?? [];
      expect(address).not.toBe("");
      await target.ok(["network", "disconnect", name, box]);
      expect(JSON.stringify(await published())).not.toContain("HostPort");
      await target.ok(["rm", "-f", box]);
    },
    timeout,
  );

  test(
    "are joined and left by containers that do not run, for their next start",
    async () => {
      const { name } = await network();
      const box = target.name();
      await target.ok(["create", "--name", box, image, "sleep", "1000"]);
      await target.ok(["network", "connect", name, box]);
      await target.ok(["network", "disconnect", "bridge", box]);
      expect(Object.keys(await networksOf(box))).toEqual([name]);
      await target.ok(["start", box]);
      expect((await networksOf(box))[name].IPAddress).not.toBe("");
      await target.ok(["rm", "-f", box]);
    },
    timeout,
  );

  test(
    "that do not go together are refused",
    async () => {
      const { name } = await network();
      const [host, none] = [
        await container("--network", "host"),
        await container("--network", "none"),
      ];
      const shared =
        "container sharing network namespace with another container or host cannot be connected to any other network";
      expect(await failure("network", "connect", name, host)).toContain(shared);
      expect(await failure("network", "connect", name, none)).toContain(
        "container cannot be connected to multiple networks with one of the networks in private (none) mode",
      );
      expect(await failure("network", "disconnect", "host", host)).toContain(
        "cannot disconnect container from host network",
      );
      expect(await failure("network", "connect", "host", none)).toContain(
        "cannot connect container to host network",
      );
      expect(await failure("run", "--rm", "--network", "conf-missing", image, "true")).toContain(
        "failed to set up container networking: network conf-missing not found",
      );
      expect(await failure("run", "--rm", "--network", name, "--ip", "10.1.2.3", image)).toContain(
        `invalid config for network ${name}: invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets`,
      );
      await target.ok(["network", "disconnect", "none", none]);
      await target.ok(["network", "connect", name, none]);
      expect(await inside(none, "ip", "route")).toContain("default via");
      await target.ok(["rm", "-f", host, none]);
    },
    timeout,
  );

  test(
    "keep containers apart: other networks, internal ones, and those without communication",
    async () => {
      const [a, b, quiet] = [
        await network(),
        await network("--internal"),
        await network("-o", "com.docker.network.bridge.enable_icc=false"),
      ];
      const boxes: string[] = [];
      for (const each of [a, a, b, b, quiet, quiet])
        boxes.push(await container("--network", each.name));
      const addresses = await Promise.all(
        boxes.map(async (box) => {
          const [only] = Object.values(await networksOf(box)) as [{ IPAddress: string }];
          return only.IPAddress;
        }),
      );
      const reaches = async (from: number, to: number, patience = 1) => {
        const args = ["ping", "-c1", `-W${patience}`, addresses[to] ?? ""];
        return (await target.docker(["exec", boxes[from] ?? "", ...args])).status === 0;
      };
      expect([await reaches(0, 1, 20), await reaches(2, 3, 20)]).toEqual([true, true]);
      expect([await reaches(4, 5), await reaches(0, 2)]).toEqual([false, false]);
      expect([await reaches(2, 0), await reaches(0, 4)]).toEqual([false, false]);
      expect(await inside(boxes[2] ?? "", "ip", "route")).not.toContain("default");
      expect(await inside(boxes[4] ?? "", "ip", "route")).toContain("default");
      await target.ok(["rm", "-f", ...boxes]);
    },
    timeout,
  );

  test(
    "are told of, and pruned when no container that runs is in them",
    async () => {
      const since = String(Math.floor(Date.now() / 1000) - 1);
      const [kept, gone] = [await network("--label", "conf=p"), await network("--label", "conf=p")];
      const box = await container("--network", kept.name);
      expect(await target.ok(["network", "prune", "-f", "--filter", "label=conf=p"])).toContain(
        `Deleted Networks:\n${gone.name}`,
      );
      await target.ok(["rm", "-f", box]);
      await target.ok(["network", "rm", kept.name]);
      const format = '{{.Action}} {{index .Actor.Attributes "name"}}';
      const until = String(Math.ceil(Date.now() / 1000) + 1);
      const range = ["--since", since, "--until", until];
      const events = await target.ok([
        "events",
        ...range,
        "--filter",
        "type=network",
        "--format",
        format,
      ]);
      const own = events
        .split("\n")
        .filter((line) => [kept.name, gone.name].some((name) => line.endsWith(` ${name}`)));
      expect(own).toEqual([
        `create ${kept.name}`,
        `create ${gone.name}`,
        `connect ${kept.name}`,
        `destroy ${gone.name}`,
        `disconnect ${kept.name}`,
        `destroy ${kept.name}`,
      ]);
    },
    timeout,
  );

  test(
    "of the driver macvlan put containers on an interface of the host, and publish no ports",
    async () => {
      const parent = `cm${process.pid}`;
      await using _parent = await nowhere(parent);
      const options = ["-d", "macvlan", "-o", `parent=${parent}`, "--subnet", "10.92.8.0/24"];
      const { name } = await network(...options);
      const [shown] = await json("network", "inspect", name);
      expect(shown).toMatchObject({
        Driver: "macvlan",
        IPAM: { Driver: "default", Options: {}, Config: [{ Subnet: "10.92.8.0/24" }] },
        Options: { parent },
      });
      const box = await container("--network", name, "-p", "80");
      expect(await target.ok(["port", box])).toBe("");
      expect((await networksOf(box))[name]).toMatchObject({
        IPAddress: "10.92.8.2",
        IPPrefixLen: 24,
        Gateway: "10.92.8.1",
        MacAddress: expect.stringMatching(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/),
      });
      expect(await inside(box, "ip", "route")).toContain("default via 10.92.8.1 dev eth0");
      for (const [why, ...wrong] of [
        ["loopback interface is not a valid macvlan parent link", "-o", "parent=lo"],
        ["invalid subinterface vlan name nope, example formatting is", "-o", "parent=nope"],
        ["-o parent interface was not found on the host: nope", "-o", "parent=nope.10"],
      ])
        expect(await failure("network", "create", "-d", "macvlan", ...wrong, "wrong")).toContain(
          why ?? "",
        );
      await target.ok(["rm", "-f", box]);
    },
    timeout,
  );

  test(
    "that are a configuration give it to others, and hold no containers",
    async () => {
      const config = target.name();
      const made = target.name();
      const wanted = [
        "--subnet",
        "10.92.9.0/24",
        "--label",
        "a=b",
        "-o",
        "com.docker.network.driver.mtu=1400",
      ];
      await target.ok(["network", "create", "--config-only", ...wanted, config]);
      await target.ok(["network", "create", "--config-from", config, made]);
      try {
        const shared = {
          Labels: { a: "b" },
          Options: { "com.docker.network.driver.mtu": "1400" },
        };
        const [shown] = await json("network", "inspect", config);
        const none = { Driver: "null", ConfigOnly: true, ConfigFrom: { Network: "" } };
        expect(shown).toMatchObject({ ...shared, ...none });
        const [user] = await json("network", "inspect", made);
        const from = { Driver: "bridge", ConfigOnly: false, ConfigFrom: { Network: config } };
        expect(user).toMatchObject({ ...shared, ...from });
        expect(user.IPAM.Config[0].Subnet).toBe("10.92.9.0/24");
        const box = await container("--network", made);
        expect((await networksOf(box))[made]).toMatchObject({ IPPrefixLen: 24 });
        expect(await failure("run", "--rm", "--network", config, image, "true")).toContain(
          "cannot create endpoint on configuration-only network",
        );
        const own = ["network", "create", "--config-from", config, "--label", "c=d", "other"];
        expect(await failure(...own)).toContain("user specified configurations are not supported");
        expect(await failure("network", "create", "--config-only", "--internal", "x")).toContain(
          "configuration network can only contain network specific fields",
        );
        expect(await failure("network", "rm", config)).toContain(`"${config}" is in use`);
        await target.ok(["rm", "-f", box]);
      } finally {
        await target.ok(["network", "rm", made, config]);
      }
    },
    timeout,
  );

  test(
    "a container with another MAC address than its own is cut off here, unless it may have any",
    async () => {
      const open = target.name();
      const option = "thimble.spoof_check=false";
      await target.ok(["network", "create", "-o", option, open]);
      const script = `gateway=$(ip route | sed -n 's/default via \\([0-9.]*\\).*/\\1/p')
        ip link set eth0 down; ip link set eth0 address 02:42:99:99:99:99; ip link set eth0 up
        ping -c 1 -W 2 $gateway`;
      const admin = ["--cap-add", "NET_ADMIN"];
      const connects = async (...flags: readonly string[]) =>
        (await target.docker(["run", "--rm", ...flags, image, "sh", "-c", script])).status === 0;
      try {
        expect(await connects(...admin)).toBe(!target.ours);
        expect(await connects("--privileged")).toBe(true);
        expect(await connects(...admin, "--network", open)).toBe(true);
        const own = ["--network", `name=bridge,driver-opt=${option}`];
        expect(await connects(...admin, ...own)).toBe(true);
      } finally {
        await target.ok(["network", "rm", open]);
      }
    },
    timeout,
  );
});
