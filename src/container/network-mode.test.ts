import { expect, test } from "bun:test";
import { networkModeOf } from "./network-mode.ts";

test.each([
  ["default", { kind: "bridge", network: "bridge" }],
  ["bridge", { kind: "bridge", network: "bridge" }],
  ["front", { kind: "bridge", network: "front" }],
  ["none", { kind: "none" }],
  ["host", { kind: "host" }],
  ["container:web", { kind: "container", id: "web" }],
] as const)("the network mode %s", (NetworkMode, mode) => {
  expect(networkModeOf({ NetworkMode })).toEqual(mode);
});
