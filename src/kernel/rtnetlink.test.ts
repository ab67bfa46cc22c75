import { expect, test } from "bun:test";
import { NetlinkWriter } from "./netlink.ts";
import {
  addAddress,
  createBridge,
  ipBytes,
  parseLink,
  parseRoute,
  replaceRoute,
} from "./rtnetlink.ts";

test("an address comes with the broadcast address of its network", () => {
  const { body } = addAddress({ index: 3, address: "172.20.0.2", prefixLength: 16 });
  expect(Buffer.from(body).toString("hex")).toBe(
    "02100000" + "03000000" + "08000200ac140002" + "08000100ac140002" + "08000400ac14ffff",
  );
});

test("an address of IPv6 is usable at once", () => {
  const { body } = addAddress({ index: 3, address: "fd00::2", prefixLength: 64 });
  const bytes = `fd00${"0".repeat(27)}2`;
  expect(Buffer.from(body).toString("hex")).toBe(
    `0a400200${"03000000"}${"14000200"}${bytes}${"14000100"}${bytes}`,
  );
});

test("a default route has no destination", () => {
  const route = { destination: "0.0.0.0", prefixLength: 0, gateway: "10.0.0.1", index: 2 };
  const { body } = replaceRoute(route);
  expect(Buffer.from(body).toString("hex")).toBe(
    "02000000" + "fe040001" + "00000000" + "080005000a000001" + "0800040002000000",
  );
  expect(parseRoute(Buffer.from(body))).toEqual({ ...route, isUnicast: true });
});

test("a route of IPv6 is written and read as one of IPv4 is", () => {
  const route = { destination: "fd01::", prefixLength: 64, gateway: "fd00::1", index: 2 };
  const { body } = replaceRoute(route);
  expect(Buffer.from(body).toString("hex").slice(0, 8)).toBe("0a400000");
  expect(parseRoute(Buffer.from(body))).toEqual({ ...route, isUnicast: true });
  const anywhere = { ...route, destination: "::", prefixLength: 0 };
  expect(parseRoute(Buffer.from(replaceRoute(anywhere).body))).toMatchObject(anywhere);
});

test("names, addresses and MACs are checked before the kernel sees them", () => {
  for (const name of ["", "a b", "a/b", "x".repeat(16), ".."])
    expect(() => createBridge({ name, mac: "02:42:00:00:00:01" })).toThrow("network interface");
  expect(() => createBridge({ name: "br", mac: "02:42" })).toThrow("MAC");
  for (const address of ["", "1.2.3", "1.2.3.256", "::1%lo", "1.2.3.4.5"])
    expect(() => ipBytes(address)).toThrow("is not an IP address");
});

test("a link as the kernel tells it", () => {
  const body = new NetlinkWriter()
    .u8(0)
    .u8(0)
    .u16(1)
    .u32(9)
    .u32(0x1043)
    .u32(0)
    .text(3, "veth1")
    .number(4, 1400)
    .number(10, 5)
    .attribute(1, (w) => w.bytes(Buffer.from("0242ac140002", "hex")))
    .attribute(16, (w) => w.u8(6))
    .nested(18, (w) => w.text(1, "veth"))
    .done();
  expect(parseLink(body)).toEqual({
    index: 9,
    name: "veth1",
    up: true,
    mac: "02:42:ac:14:00:02",
    mtu: 1400,
    master: 5,
    peer: 0,
    kind: "veth",
    isOperational: true,
    forwards: false,
    alias: "",
  });
});
