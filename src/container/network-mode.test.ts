import { expect, test } from "bun:test";
import { networkModeOf, networkNames } from "./network-mode.ts";

test.each([
  ["default", { kind: "bridge", networks: ["bridge"] }, ["bridge"]],
  ["bridge", { kind: "bridge", networks: ["bridge"] }, ["bridge"]],
  ["none", { kind: "none" }, ["none"]],
  ["host", { kind: "host" }, ["host"]],
  ["container:web", { kind: "container", id: "web" }, []],
] as const)("the network mode %s", (NetworkMode, mode, names) => {
  expect(networkModeOf({ NetworkMode })).toEqual(mode);
  expect(networkNames(mode)).toEqual([...names]);
});
