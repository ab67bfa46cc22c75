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
  const name = `conf-ipv6-${process.pid}-${made.length}`;
  made.push(name);
  await target.ok(["network", "create", ...options, name]);
  return name;
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

const json = async (...args: string[]) => JSON.parse(await target.ok(args));
const inside = (name: string, ...args: string[]) => target.ok(["exec", name, ...args]);
const configOf = (name: string) =>
  json("network", "inspect", "-f", "[{{.EnableIPv4}},{{.EnableIPv6}},{{json .IPAM.Config}}]", name);
const placeIn = (name: string, net: string) =>
  json("inspect", "-f", `{{json (index .NetworkSettings.Networks "${net}")}}`, name);

/** A /64 of the test's own, by number. */
const subnet = (number: number) => `fd77:${(process.pid & 0xffff).toString(16)}:${number}::`;

describe.skipIf(!able)("networks of IPv6 [needs docker CLI]", () => {
  test(
    "choose a unique local /64, or take what is asked of both versions",
    async () => {
      const ipv4 = { Subnet: expect.stringMatching(/^\d/), Gateway: expect.stringMatching(/^\d/) };
      const [first, second] = [await network("--ipv6"), await network("--ipv6")];
      const chosen = [await configOf(first), await configOf(second)];
      for (const each of chosen) {
        expect(each).toEqual([
          true,
          true,
          [
            ipv4,
            {
              Subnet: expect.stringMatching(/^fd[0-9a-f]{2}:[0-9a-f:]+::\/64$/),
              Gateway: each[2][1].Subnet.replace("/64", "1"),
            },
          ],
        ]);
      }
      // Of one /48 all.
      const site = ([, , [, { Subnet }]]: (typeof chosen)[0]) =>
        Subnet.split(":").slice(0, 3).join(":").replace(/:$/, "");
      expect(site(chosen[0])).toBe(site(chosen[1]));
      expect(chosen[0][2][1].Subnet).not.toBe(chosen[1][2][1].Subnet);
      const prefix = subnet(1);
      const asked = await network(
        ...["--ipv6", "--subnet", `${prefix}/64`, "--gateway", `${prefix}fe`],
        ...["--ip-range", `${prefix}1000/120`, "--aux-address", `a=${prefix}1000`],
        ...["--subnet", "10.92.1.0/24"],
      );
      expect(await configOf(asked)).toEqual([
        true,
        true,
        expect.arrayContaining([
          { Subnet: "10.92.1.0/24" },
          {
            Subnet: `${prefix}/64`,
            IPRange: `${prefix}1000/120`,
            Gateway: `${prefix}fe`,
            AuxiliaryAddresses: { a: `${prefix}1000` },
          },
        ]),
      ]);
      const alone = await network("--ipv6", "--ipv4=false");
      expect(await configOf(alone)).toMatchObject([
        false,
        true,
        [{ Subnet: expect.stringMatching(/^fd/) }],
      ]);
      const byOption = await network("-o", "com.docker.network.enable_ipv6=true");
      expect(await configOf(byOption)).toMatchObject([true, true, [ipv4, {}]]);
      expect(await json("network", "inspect", "-f", "{{json .Options}}", byOption)).toEqual({});
      // As Docker: a subnet of a version that the network has not is shown, and of no account.
      const unused = await network("--subnet", `${subnet(2)}/64`);
      expect(await configOf(unused)).toEqual([true, false, [{ Subnet: `${subnet(2)}/64` }, ipv4]]);
    },
    timeout,
  );

  test(
    "that cannot be are refused in Docker's words",
    async () => {
      await network("--ipv6", "--subnet", `${subnet(3)}/64`);
      const cases: readonly (readonly [want: string, ...args: string[]])[] = [
        ["IPv4 or IPv6 must be enabled", "--ipv4=false"],
        [
          "Pool overlaps with other one on this address space",
          "--ipv6",
          "--subnet",
          `${subnet(3)}/80`,
        ],
        ["it should be fd77:5::/64", "--ipv6", "--subnet", "fd77:5::1/64"],
        ["invalid subnet fd77:5::/129: invalid CIDR", "--ipv6", "--subnet", "fd77:5::/129"],
        [
          "failed to allocate gateway (fd77:5::): Address already in use",
          ...["--ipv6", "--subnet", "fd77:5::/64", "--gateway", "fd77:5::"],
        ],
        [
          "failed to allocate secondary ip address (x:fd77:5::1): Address already in use",
          ...["--ipv6", "--subnet", "fd77:5::/64", "--aux-address", "x=fd77:5::1"],
        ],
        [
          "bridge driver doesn't support multiple subnets",
          ...["--ipv6", "--subnet", "fd77:5::/64", "--subnet", "fd77:6::/64"],
        ],
        ["multicast subnet 'ff02::1/64' is not allowed", "--ipv6", "--subnet", "ff02::/64"],
        [
          'driver-opt "com.docker.network.enable_ipv6" is not a valid bool',
          ...["-o", "com.docker.network.enable_ipv6=foo"],
        ],
      ];
      for (const [want, ...args] of cases)
        expect(await failure("network", "create", ...args, "conf-never")).toContain(want);
    },
    timeout,
  );

  test(
    "give containers addresses, the next ones or those that are asked for",
    async () => {
      const prefix = subnet(4);
      const net = await network("--ipv6", "--subnet", `${prefix}/64`);
      const place = {
        IPAddress: expect.stringMatching(/^\d/),
        GlobalIPv6PrefixLen: 64,
        IPv6Gateway: `${prefix}1`,
      };
      const [next, asked] = [
        await container("--network", net, "--hostname", "hh"),
        await container("--network", net, "--ip6", `${prefix}00AB`),
      ];
      expect(await placeIn(next, net)).toMatchObject({
        ...{ ...place, GlobalIPv6Address: `${prefix}2`, IPAMConfig: null },
      });
      expect(await placeIn(asked, net)).toMatchObject({
        ...{ ...place, GlobalIPv6Address: `${prefix}ab` },
        IPAMConfig: { IPv6Address: `${prefix}00AB` },
      });
      const { Containers } = (await json("network", "inspect", net))[0];
      const shown = Object.values(Containers as Record<string, { IPv6Address: string }>);
      expect(shown.map(({ IPv6Address }) => IPv6Address).sort()).toEqual([
        `${prefix}2/64`,
        `${prefix}ab/64`,
      ]);
      const { IPAddress } = await placeIn(next, net);
      expect(await inside(next, "cat", "/etc/hosts")).toContain(`${IPAddress}\thh\n${prefix}2\thh`);
      for (const to of [`${prefix}ab`, `${prefix}1`])
        expect(await inside(next, "ping", "-6", "-c1", "-W2", to)).toContain("1 packets received");
      expect(await inside(next, "ip", "-6", "route")).toContain(`default via ${prefix}1 dev eth0`);
      const refused = (...args: string[]) => failure("run", "--rm", ...args, image, "true");
      expect(await refused("--network", net, "--ip6", `${prefix}2`)).toContain(
        "Address already in use",
      );
      expect(await refused("--network", net, "--ip6", "fd76::2")).toContain(
        `invalid config for network ${net}: invalid endpoint settings:\nno configured subnet or ip-range contain the IP address fd76::2`,
      );
      expect(await refused("--network", net, "--ip6", "bad")).toContain(
        "* invalid IPv6 address: bad\n* no configured subnet or ip-range contain the IP address bad",
      );
      expect(await refused("--network", "bridge", "--ip6", "fd76::2")).toContain(
        "* user specified IP address is supported on user defined networks only\n* user specified IP address is supported only when connecting to networks with user configured subnets",
      );
      await target.ok(["restart", "-t", "0", asked]);
      expect((await placeIn(asked, net)).GlobalIPv6Address).toBe(`${prefix}ab`);
      await target.ok(["stop", "-t", "0", asked]);
      expect(await placeIn(asked, net)).toMatchObject({
        ...{ GlobalIPv6Address: "", GlobalIPv6PrefixLen: 0, IPv6Gateway: "" },
      });
    },
    timeout,
  );

  test(
    "are joined and left by containers that run, also by those that have IPv4 alone",
    async () => {
      const prefix = subnet(5);
      const net = await network("--ipv6", "--subnet", `${prefix}/64`);
      const six = await network("--ipv6", "--ipv4=false");
      const plain = await network();
      const box = await container("--network", plain);
      const disabled = (link: string) =>
        inside(box, "cat", `/proc/sys/net/ipv6/conf/${link}/disable_ipv6`);
      expect(await disabled("eth0")).toBe("1");
      await target.ok(["network", "connect", "--ip6", `${prefix}99`, net, box]);
      expect(await placeIn(box, net)).toMatchObject({
        GlobalIPv6Address: `${prefix}99`,
        IPAMConfig: { IPv6Address: `${prefix}99` },
      });
      expect([await disabled("eth0"), await disabled("eth1")]).toEqual(["1", "0"]);
      expect(await inside(box, "ip", "-6", "route")).toContain(`default via ${prefix}1 dev eth1`);
      expect(await inside(box, "cat", "/etc/hosts")).toContain(`${prefix}99\t`);
      await target.ok(["network", "connect", six, box]);
      expect(await placeIn(box, six)).toMatchObject({
        ...{ IPAddress: "", IPPrefixLen: 0, Gateway: "" },
        GlobalIPv6Address: expect.stringMatching(/^fd.*::2$/),
      });
      await target.ok(["network", "disconnect", net, box]);
      expect(await inside(box, "cat", "/etc/hosts")).not.toContain(`${prefix}99\t`);
      const { IPv6Gateway } = await placeIn(box, six);
      expect(await inside(box, "ip", "-6", "route")).toContain(
        `default via ${IPv6Gateway} dev eth2`,
      );
      expect(await inside(box, "ip", "route")).toContain("dev eth0");
      await target.ok(["network", "disconnect", plain, box]);
      expect(await inside(box, "ip", "route")).not.toContain("default");
      await target.ok(["network", "disconnect", six, box]);
      expect(await inside(box, "ip", "-6", "route")).not.toContain("default");
      await target.ok(["rm", "-f", box]);
      expect(await target.ok(["network", "rm", six])).toBe(six);
    },
    timeout,
  );

  test(
    "have names for their addresses, also where containers have IPv6 alone",
    async () => {
      for (const options of [["--ipv6"], ["--ipv6", "--ipv4=false"]]) {
        const net = await network(...options);
        const [web, asker] = [
          await container("--network", net, "--network-alias", "site"),
          await container("--network", net),
        ];
        const { GlobalIPv6Address, IPAddress } = await placeIn(web, net);
        const look = async (type: string, name: string) =>
          (await target.docker(["exec", asker, "busybox", "nslookup", `-type=${type}`, name]))
            .stdout;
        expect(await look("aaaa", "site")).toContain(`Address: ${GlobalIPv6Address}`);
        if (IPAddress !== "") expect(await look("a", "site")).toContain(`Address: ${IPAddress}`);
        const groups = await inside(web, "sh", "-c", "grep eth0 /proc/net/if_inet6 | grep ^fd");
        const reverse = `${[...groups.slice(0, 32)].reverse().join(".")}.ip6.arpa`;
        expect(await look("ptr", reverse)).toContain(`name = ${web}.${net}`);
        expect(await inside(asker, "ping", "-6", "-c1", "-W2", "site")).toContain(
          "1 packets received",
        );
      }
    },
    timeout,
  );
});
