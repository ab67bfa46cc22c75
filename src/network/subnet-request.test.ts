import { expect, test } from "bun:test";
import { isFault } from "#base";
import { parseSubnet } from "./subnet.ts";
import { checkSubnets, planAddresses, type SubnetRequest } from "./subnet-request.ts";

const request = (change: Partial<SubnetRequest>): SubnetRequest => ({
  subnet: "10.7.0.0/24",
  range: "",
  gateway: "",
  reserved: {},
  ...change,
});

test.each([
  [{ subnet: "bad" }, "invalid subnet bad: invalid CIDR block notation"],
  [{ subnet: "10.7.0.0/33" }, "invalid subnet 10.7.0.0/33: invalid CIDR block notation"],
  [{ subnet: "" }, "invalid subnet : invalid CIDR block notation"],
  [{ subnet: "10.7.0.5/24" }, "invalid subnet 10.7.0.5/24: it should be 10.7.0.0/24"],
  [{ gateway: "x" }, "invalid gateway x: invalid address"],
  [
    { gateway: "10.8.0.1" },
    "invalid gateway 10.8.0.1: parent subnet 10.7.0.0/24 doesn't contain this address",
  ],
  [{ range: "x" }, "invalid ip-range x: invalid CIDR block notation"],
  [{ range: "10.7.0.9/25" }, "invalid ip-range 10.7.0.9/25: it should be 10.7.0.0/25"],
  [
    { range: "10.7.0.0/16" },
    "invalid ip-range 10.7.0.0/16: CIDR block is bigger than its parent subnet 10.7.0.0/24",
  ],
  [
    { range: "10.8.0.0/25" },
    "invalid ip-range 10.8.0.0/25: parent subnet 10.7.0.0/24 doesn't contain ip-range",
  ],
  [{ range: "fd00::/64" }, "invalid ip-range fd00::/64: parent subnet is an IPv4 block"],
  [{ gateway: "fd00::1" }, "invalid gateway fd00::1: parent subnet is an IPv4 block"],
  [{ subnet: "fd00::1/64" }, "invalid subnet fd00::1/64: it should be fd00::/64"],
  [{ subnet: "fd00::/129" }, "invalid subnet fd00::/129: invalid CIDR block notation"],
  [
    { subnet: "fd00::/64", gateway: "fd01::1", range: "fd00::/48" },
    "* invalid ip-range fd00::/48: CIDR block is bigger than its parent subnet fd00::/64\n* invalid gateway fd01::1: parent subnet fd00::/64 doesn't contain this address",
  ],
  [
    { subnet: "fd00::/64", gateway: "10.1.1.1", reserved: { a: "fd21::1" } },
    "* invalid gateway 10.1.1.1: parent subnet is an IPv6 block\n* invalid auxiliary address a: parent subnet fd00::/64 doesn't contain this address",
  ],
  [{ subnet: "fe80::/64" }, "invalid subnet fe80::/64: link-local addresses"],
  [{ subnet: "::ffff:10.1.0.0/112" }, "invalid subnet ::ffff:10.1.0.0/112: it stands for"],
  [{ reserved: { a: "x" } }, "invalid auxiliary address a: invalid address"],
  [
    { gateway: "x", range: "y" },
    "* invalid ip-range y: invalid CIDR block notation\n* invalid gateway x",
  ],
] as const)("%j is refused in Docker's words", (change, why) => {
  expect(() => checkSubnets([request(change)], [4, 6])).toThrow(`invalid network config:\n${why}`);
});

test("what Docker takes is taken", () => {
  checkSubnets([], [4]);
  const whole = { range: "10.7.0.128/25", gateway: "10.7.0.254", reserved: { r: "10.7.0.130" } };
  checkSubnets([request(whole)], [4]);
  for (const subnet of ["10.7.0.0/31", "10.7.0.0/32", "fd00:7::/64", "fd00:7::/127"])
    checkSubnets([request({ subnet })], [4, 6]);
  checkSubnets([request({}), request({ subnet: "fd00:7::/64" })], [4, 6]);
});

test("one subnet of each version, those of a version that the network has not aside", () => {
  const all = ["10.7.0.0/24", "fd00:7::/64", "fd00:8::/64", "fe80::/64"];
  const requests = all.map((subnet) => request({ subnet }));
  checkSubnets(requests, [4]);
  expect(() => checkSubnets(requests.slice(0, 3), [4, 6])).toThrow("support multiple subnets");
});

test.each([
  ["fd00:7::/64", {}, "fd00:7::1"],
  ["fd00:7::/64", { range: "fd00:7::1000/120" }, "fd00:7::1000"],
  ["fd00:7::/48", { range: "fd00:7:0:5::/64" }, "fd00:7:0:5::"],
  ["fd00:7::/127", {}, "fd00:7::1"],
  ["FD00:7:0::/64", { gateway: "FD00:7::00fe" }, "fd00:7::fe"],
  ["10.7.0.0/24", {}, "10.7.0.1"],
  ["10.7.0.0/24", { range: "10.7.0.128/25" }, "10.7.0.128"],
  ["10.7.0.0/31", {}, "10.7.0.0"],
  ["10.7.0.0/30", {}, "10.7.0.1"],
  ["10.7.0.0/24", { gateway: "10.7.0.9" }, "10.7.0.9"],
] as const)("the gateway of %s with %j is %s", (subnet, change, want) => {
  const { gateway } = planAddresses(parseSubnet(subnet), request({ subnet, ...change }));
  expect(gateway).toBe(want);
});

test.each([
  [{ gateway: "10.7.0.0" }, "failed to allocate gateway (10.7.0.0): Address already in use"],
  [{ gateway: "10.7.0.255" }, "failed to allocate gateway (10.7.0.255): Address already in use"],
  [
    { reserved: { a: "10.7.0.1" } },
    "failed to allocate secondary ip address (a:10.7.0.1): Address already in use",
  ],
  [
    { reserved: { a: "10.7.0.5", b: "10.7.0.5" } },
    "failed to allocate secondary ip address (b:10.7.0.5): Address already in use",
  ],
  [
    { subnet: "fd00:7::/64", gateway: "fd00:7::" },
    "failed to allocate gateway (fd00:7::): Address already in use",
  ],
  [
    { subnet: "fd00:7::/64", reserved: { x: "fd00:7::1" } },
    "failed to allocate secondary ip address (x:fd00:7::1): Address already in use",
  ],
  [
    { subnet: "fd00:7::1/128" },
    "failed to allocate gateway (): no available addresses on this pool",
  ],
] as const)("addresses that are taken twice: %j", (change, why) => {
  const asked = request(change);
  const plan = () => planAddresses(parseSubnet(asked.subnet), asked);
  expect(plan).toThrow(why);
  try {
    plan();
  } catch (error) {
    expect(isFault(error, "denied")).toBe(true);
  }
});
