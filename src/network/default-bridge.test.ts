import { describe, expect, test } from "bun:test";
import {
  checkNetworkDefaults,
  defaultSubnet,
  poolCandidates,
  withNetworkDefaults,
} from "./default-bridge.ts";
import { planOf } from "./network-addresses.ts";
import { plainSettings } from "./network-store.ts";
import { formatSubnet, parseSubnet } from "./subnet.ts";

test("the bridge has the address of bip, and containers those of fixed-cidr", () => {
  const row = {
    id: "a",
    name: "bridge",
    createdAt: 0n,
    subnets: [],
    settings: plainSettings,
  };
  const defaults = { bip: "172.30.0.1/24", fixedCidr: "172.30.0.128/25", mtu: 1400 };
  expect(() => checkNetworkDefaults(defaults)).not.toThrow();
  expect(defaultSubnet(defaults, 4)).toBe("172.30.0.0/24");
  expect(withNetworkDefaults(row, defaults).settings).toMatchObject({
    subnets: [{ subnet: "172.30.0.0/24", gateway: "172.30.0.1", range: "172.30.0.128/25" }],
    options: { "com.docker.network.driver.mtu": "1400" },
  });
  expect(withNetworkDefaults(row, {})).toEqual(row);
});

test("the default network has IPv6 where it is asked for, and forgets what it had", () => {
  const subnets = ["10.0.0.0/24", "fd00:7::/64"].map(parseSubnet);
  const row = { id: "a", name: "bridge", createdAt: 0n, subnets, settings: plainSettings };
  const defaults = { hasIpv6: true, fixedCidr6: "fd00:7::/64" };
  expect(() => checkNetworkDefaults(defaults)).not.toThrow();
  expect(withNetworkDefaults(row, defaults)).toMatchObject({
    subnets,
    settings: { hasIpv6: true, subnets: [{ subnet: "fd00:7::/64", range: "", gateway: "" }] },
  });
  expect(withNetworkDefaults(row, {})).toMatchObject({
    subnets: subnets.slice(0, 1),
    settings: { hasIpv6: false, subnets: [] },
  });
});

test("bip6 is to IPv6 what bip is to IPv4, and containers send to the gateways that are set", () => {
  const row = { id: "a", name: "bridge", createdAt: 0n, subnets: [], settings: plainSettings };
  const defaults = {
    ...{ bip: "172.30.0.1/24", defaultGateway: "172.30.0.254", hasIpv6: true },
    ...{ bip6: "fd00:7::7/64", fixedCidr6: "fd00:7::1:0/112", defaultGateway6: "fd00:7::fe" },
  };
  expect(() => checkNetworkDefaults(defaults)).not.toThrow();
  expect(defaultSubnet(defaults, 6)).toBe("fd00:7::/64");
  const named = withNetworkDefaults(row, defaults);
  expect(named.settings.subnets).toEqual([
    {
      ...{ subnet: "172.30.0.0/24", gateway: "172.30.0.1", range: "" },
      reserved: { DefaultGatewayIPv4: "172.30.0.254" },
    },
    {
      ...{ subnet: "fd00:7::/64", gateway: "fd00:7::7", range: "fd00:7::1:0/112" },
      reserved: { DefaultGatewayIPv6: "fd00:7::fe" },
    },
  ]);
  const ways = ["172.30.0.0/24", "fd00:7::/64"].map((each) => planOf(named, parseSubnet(each)).way);
  expect(ways).toEqual(["172.30.0.254", "fd00:7::fe"]);
  const whole = { hasIpv6: true, fixedCidr6: "fd00:7::/64", defaultGateway6: "fd00:7::fe" };
  expect(() => checkNetworkDefaults(whole)).not.toThrow();
});

test("networks come from the pools of their version, in order", () => {
  const pools = [
    { base: "10.9.0.0/30", size: 31 },
    { base: "fd00::/63", size: 64 },
    { base: "10.10.0.0/24", size: 24 },
  ];
  const all = (version: 4 | 6) => [...(poolCandidates({ pools }, version) ?? [])].map(formatSubnet);
  expect(all(4)).toEqual(["10.9.0.0/31", "10.9.0.2/31", "10.10.0.0/24"]);
  expect(all(6)).toEqual(["fd00::/64", "fd00:0:0:1::/64"]);
  expect(poolCandidates({}, 4)).toBeUndefined();
});

describe("refused is", () => {
  test.each([
    [{ bip: "172.30.0.1" }, "invalid bip 172.30.0.1"],
    [{ bip: "172.30.0.0/24" }, "invalid bip 172.30.0.0/24"],
    [{ bip: "fd00::1/64" }, "invalid bip fd00::1/64"],
    [{ fixedCidr: "172.30.0.0/24" }, "give bip as well"],
    [{ bip: "172.30.0.1/24", fixedCidr: "10.0.0.0/24" }, "no part of 172.30.0.0/24"],
    [{ fixedCidr6: "fd00::/64" }, "unless ipv6 is true"],
    [{ hasIpv6: true, fixedCidr6: "fd00::1/64" }, "give a network of IPv6"],
    [{ hasIpv6: true, fixedCidr6: "10.0.0.0/24" }, "give a network of IPv6"],
    [{ bip6: "fd00::1/64" }, "invalid bip6 fd00::1/64: the default network has no IPv6"],
    [{ hasIpv6: true, bip6: "fd00::/64" }, "invalid bip6 fd00::/64: give an address"],
    [{ hasIpv6: true, bip6: "10.0.0.1/8" }, "invalid bip6 10.0.0.1/8: give an address"],
    [
      { hasIpv6: true, bip6: "fd00::1/64", fixedCidr6: "fd01::/80" },
      "it is no part of fd00::/64, the network of bip6",
    ],
    [{ defaultGateway: "172.30.0.9" }, "so give bip as well"],
    [{ bip: "172.30.0.1/24", defaultGateway: "fd00::1" }, "give an address of IPv4"],
    [{ bip: "172.30.0.1/24", defaultGateway: "10.0.0.1" }, "it is not in 172.30.0.0/24"],
    [{ bip: "172.30.0.1/24", defaultGateway: "172.30.0.1" }, "no other machine can have it"],
    [{ bip: "172.30.0.1/24", defaultGateway: "172.30.0.255" }, "no other machine can have it"],
    [{ defaultGateway6: "fd00::9" }, "unless ipv6 is true"],
    [
      { hasIpv6: true, defaultGateway6: "fd00::9" },
      "it is in the network of the bridge, so give bip6 as well",
    ],
    [{ mtu: 20 }, "between 68 and 65535"],
    [{ pools: [{ base: "10.0.0.1/8", size: 24 }] }, "the base is a network"],
    [{ pools: [{ base: "10.0.0.0/16", size: 8 }] }, "prefix length"],
  ])("%j", (defaults, why) => {
    expect(() => checkNetworkDefaults(defaults)).toThrow(why);
  });
});
