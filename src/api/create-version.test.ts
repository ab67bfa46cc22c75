import { expect, test } from "bun:test";
import type { ContainerCreateBody } from "#container";
import { hasChange } from "./api-change.ts";
import { currentBody } from "./create-version.ts";
import type { Exchange } from "./exchange.ts";

function body(version: string, sent: ContainerCreateBody): ContainerCreateBody {
  const exchange: Pick<Exchange, "has"> = { has: (change) => hasChange(version, change) };
  return currentBody(exchange, sent);
}

test("a request of the newest version stays as it is", () => {
  const sent: ContainerCreateBody = {
    Image: "x",
    HostConfig: { AutoRemove: true, Mounts: [{ Type: "image", Source: "x", Target: "/x" }] },
  };
  expect(body("1.51", sent)).toBe(sent);
});

test.each([
  ["1.24", { AutoRemove: false }],
  ["1.25", { AutoRemove: true }],
  ["1.39", { IpcMode: "shareable" }],
  ["1.41", { ConsoleSize: [0, 0] as const }],
  ["1.42", { ConsoleSize: [24, 80] as const, Annotations: null }],
  ["1.43", { Annotations: { a: "b" } }],
])("defaults of %s", (version, expected) => {
  const HostConfig = { AutoRemove: true, ConsoleSize: [24, 80], Annotations: { a: "b" } };
  expect(body(version, { Image: "x", HostConfig }).HostConfig).toMatchObject(expected);
});

test("options of mounts count from their version on", () => {
  const Mounts = [
    { Type: "bind", Source: "/a", Target: "/b", BindOptions: { CreateMountpoint: true } },
    { Type: "tmpfs", Target: "/t", VolumeOptions: { NoCopy: true } },
  ];
  const mounts = (version: string) => body(version, { HostConfig: { Mounts } }).HostConfig?.Mounts;
  expect(mounts("1.41")?.[0]?.BindOptions?.CreateMountpoint).toBe(false);
  expect(mounts("1.41")?.[1]?.VolumeOptions).toBeNull();
  expect(mounts("1.42")).toBe(Mounts);
});

test("a MAC address of the container is that of its network, before 1.44", () => {
  const NetworkingConfig = { EndpointsConfig: { web: { MacAddress: "02:00:00:00:00:01" } } };
  const sent = { HostConfig: { NetworkMode: "web" }, NetworkingConfig };
  const mac = (sent: ContainerCreateBody) =>
    body("1.43", sent).NetworkingConfig?.EndpointsConfig?.web?.MacAddress;
  expect(mac(sent)).toBe("");
  expect(mac({ ...sent, MacAddress: "02:00:00:00:00:02" })).toBe("02:00:00:00:00:02");
  expect(() =>
    mac({ MacAddress: "02:00:00:00:00:02", HostConfig: { NetworkMode: "host" } }),
  ).toThrow("conflicting options: mac-address and the network mode");
});

test.each([
  [
    "1.43",
    { Mounts: [{ Type: "bind", BindOptions: { ReadOnlyForceRecursive: true } }] },
    "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
  ],
  [
    "1.44",
    { Mounts: [{ Type: "volume", VolumeOptions: { Subpath: "x" } }] },
    "VolumeOptions.Subpath needs API v1.45 or newer",
  ],
  ["1.47", { Mounts: [{ Type: "image" }] }, 'Mount type "Image" needs API v1.48 or newer'],
])("what %s does not have is refused in Docker's words", (version, HostConfig, message) => {
  expect(() => body(version, { Image: "x", HostConfig })).toThrow(message);
});

test("several networks are refused before 1.44", () => {
  const NetworkingConfig = { EndpointsConfig: { a: {}, b: {} } };
  expect(() => body("1.43", { NetworkingConfig })).toThrow(
    "Container cannot be created with multiple network endpoints: a, b",
  );
  expect(() => body("1.44", { NetworkingConfig })).not.toThrow();
});
