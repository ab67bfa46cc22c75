import { expect, test } from "bun:test";
import { isFault } from "#base";
import { formatIpv4, parseSubnet } from "./ipv4.ts";
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
    "invalid ip-range 10.7.0.0/16: parent subnet 10.7.0.0/24 doesn't contain ip-range",
  ],
  [{ reserved: { a: "x" } }, "invalid auxiliary address a: invalid address"],
  [
    { gateway: "x", range: "y" },
    "* invalid ip-range y: invalid CIDR block notation\n* invalid gateway x",
  ],
] as const)("%j is refused in Docker's words", (change, why) => {
  expect(() => checkSubnets([request(change)])).toThrow(`invalid network config:\n${why}`);
});

test("what Docker takes is taken", () => {
  checkSubnets([]);
  checkSubnets([
    request({ range: "10.7.0.128/25", gateway: "10.7.0.254", reserved: { r: "10.7.0.130" } }),
  ]);
  for (const subnet of ["10.7.0.0/31", "10.7.0.0/32", "fd00:7::/64"])
    checkSubnets([request({ subnet })]);
});

test.each([
  ["10.7.0.0/24", {}, "10.7.0.1"],
  ["10.7.0.0/24", { range: "10.7.0.128/25" }, "10.7.0.128"],
  ["10.7.0.0/31", {}, "10.7.0.0"],
  ["10.7.0.0/30", {}, "10.7.0.1"],
  ["10.7.0.0/24", { gateway: "10.7.0.9" }, "10.7.0.9"],
] as const)("the gateway of %s with %j is %s", (subnet, change, want) => {
  const { gateway } = planAddresses(parseSubnet(subnet), request({ subnet, ...change }));
  expect(formatIpv4(gateway)).toBe(want);
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
] as const)("addresses that are taken twice: %j", (change, why) => {
  const plan = () => planAddresses(parseSubnet("10.7.0.0/24"), request(change));
  expect(plan).toThrow(why);
  try {
    plan();
  } catch (error) {
    expect(isFault(error, "denied")).toBe(true);
  }
});
