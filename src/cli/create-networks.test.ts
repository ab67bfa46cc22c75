import { expect, test } from "bun:test";
import type { CreateInput } from "./create-body.ts";
import { networkingConfig, networkMode } from "./create-networks.ts";

function input(network: readonly string[], others: object = {}): CreateInput {
  const flags = {
    network,
    "network-alias": [],
    "network-opt": [],
    link: [],
    "link-local-ip": [],
    ...others,
  };
  return { flags, given: new Set(), args: [] } as unknown as CreateInput;
}

const endpoints = (network: readonly string[], others?: object) =>
  networkingConfig(input(network, others))?.EndpointsConfig;

test("a network of which nothing is said is the mode alone", () => {
  expect(networkMode(input([]))).toBe("default");
  expect(endpoints([])).toEqual({});
  expect(networkMode(input(["front"]))).toBe("front");
  expect(endpoints(["front"])).toEqual({});
  expect(endpoints(["front", "back"])).toEqual({ front: {}, back: {} });
});

test("each field of a network, and the flags that are about the first", () => {
  const long =
    "name=back,alias=a,alias=b,ip=10.7.0.9,mac-address=02:42:00:00:00:01,gw-priority=-3,driver-opt=k=v=w";
  expect(endpoints(["front", long], { ip: "10.8.0.9", "network-alias": ["x"] })).toEqual({
    front: { Aliases: ["x"], IPAMConfig: { IPv4Address: "10.8.0.9" } },
    back: {
      Aliases: ["a", "b"],
      IPAMConfig: { IPv4Address: "10.7.0.9" },
      MacAddress: "02:42:00:00:00:01",
      GwPriority: -3,
      DriverOpts: { k: "v=w" },
    },
  });
  expect(networkMode(input([long]))).toBe("back");
  expect(endpoints(["front", "back"], { link: ["db:mysql"] })).toEqual({
    front: { Links: ["db:mysql"] },
    back: {},
  });
  expect(endpoints([], { link: ["db:mysql"] })).toEqual({});
  expect(endpoints([], { "network-opt": ["rate=10mbit"] })).toEqual({
    default: { DriverOpts: { "thimble.rate": "10mbit" } },
  });
});

test.each([
  [["a", "a"], {}, 'network "a" is specified multiple times'],
  [["a", "host"], {}, "conflicting options: cannot attach both user-defined and non-user-defined"],
  [
    ["name=a,ip=1.2.3.4"],
    { ip: "1.2.3.5" },
    "cannot specify both --ip and per-network IPv4 address",
  ],
  [
    ["name=a,alias=x"],
    { "network-alias": ["y"] },
    "cannot specify both --network-alias and per-network alias",
  ],
  [
    ["a"],
    { "network-opt": ["speed=1"] },
    "there are rate=RATE, as rate=10mbit, and spoof_check=false",
  ],
  [["name=a,mac-address=zz"], {}, "zz is not a valid mac address"],
  [
    ["bridge"],
    { "network-alias": ["y"] },
    "network-scoped aliases are only supported for user-defined",
  ],
  [["name=a,foo=b"], {}, 'for "--network" flag: invalid field key foo'],
  [["name=a,gw-priority=x"], {}, "invalid gw-priority (x): invalid syntax"],
  [["alias=x"], {}, "network name/id is not specified"],
] as const)("%j with %j is refused in docker's words", (network, others, why) => {
  expect(() => endpoints(network, others)).toThrow(why);
});
