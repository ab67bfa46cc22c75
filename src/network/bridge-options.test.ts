import { expect, test } from "bun:test";
import { parseBridgeOptions } from "./bridge-options.ts";

const bridge = (key: string, value: string) => ({ [`com.docker.network.bridge.${key}`]: value });
const mtu = (value: string) => ({ "com.docker.network.driver.mtu": value });

test("options have Docker's defaults, and those that nobody knows no meaning", () => {
  expect(parseBridgeOptions({ foo: "bar" })).toEqual({
    connectsContainers: true,
    masquerades: true,
    hostBinding: "0.0.0.0",
    linkPrefix: "eth",
    hasAddress: true,
    checksSources: true,
  });
});

test("each option has its effect", () => {
  const options = {
    ...bridge("name", "lab0"),
    ...bridge("enable_icc", "false"),
    ...bridge("enable_ip_masquerade", "0"),
    ...bridge("host_binding_ipv4", "127.0.0.1"),
    ...bridge("inhibit_ipv4", "true"),
    ...mtu("1400"),
    "com.docker.network.container_iface_prefix": "net",
    "thimble.spoof_check": "false",
  };
  expect(parseBridgeOptions(options)).toEqual({
    bridge: "lab0",
    mtu: 1400,
    connectsContainers: false,
    masquerades: false,
    hostBinding: "127.0.0.1",
    linkPrefix: "net",
    hasAddress: false,
    checksSources: false,
  });
});

test.each([
  [
    mtu("x"),
    'failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi: parsing "x": invalid syntax)',
  ],
  [mtu("-1"), "invalid MTU number: -1"],
  [mtu("20"), "invalid MTU number: 20; a network's is from 68 to 65535"],
  [
    bridge("enable_icc", "zzz"),
    'failed to parse com.docker.network.bridge.enable_icc value: zzz (strconv.ParseBool: parsing "zzz": invalid syntax)',
  ],
  [
    bridge("host_binding_ipv4", "x"),
    "failed to parse com.docker.network.bridge.host_binding_ipv4 value: x (nil ip)",
  ],
  [bridge("name", "longer-than-15-bytes"), "an interface's name has 1 to 15 bytes"],
  [bridge("name", "a/b"), "an interface's name has 1 to 15 bytes"],
  [bridge("gateway_mode_ipv4", "routed"), "gateway_mode_ipv4 is not supported"],
] as const)("%j is refused", (options, why) => {
  expect(() => parseBridgeOptions(options)).toThrow(why);
});
