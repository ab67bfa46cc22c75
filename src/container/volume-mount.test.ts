import { expect, test } from "bun:test";
import { readSent } from "./description.ts";
import type { HostConfigBody } from "./host-options.ts";
import { bindsOf, volumesOf } from "./rules.ts";

const host = (HostConfig: HostConfigBody) => readSent({ Config: { Image: "i" }, HostConfig }).host;

const plain = {
  ...{ mode: "", readonly: false, copy: true, subpath: "", driver: "" },
  ...{ options: undefined, labels: undefined },
};

test("an entry of Binds without a path of the host is a volume", () => {
  const read = host({ Binds: ["data:/a/", "/anonymous", "/srv:/b", "x:/c:ro,nocopy,z"] });
  expect(volumesOf(read)).toEqual([
    { ...plain, volume: "data", target: "/a" },
    { ...plain, volume: "", target: "/anonymous" },
    { ...plain, volume: "x", target: "/c", mode: "ro,nocopy,z", readonly: true, copy: false },
  ]);
  expect(bindsOf(read).map(({ source }) => source)).toEqual(["/srv"]);
});

test("a mount of type volume has its options", () => {
  const VolumeOptions = {
    ...{ NoCopy: true, Labels: { a: "b" }, Subpath: "s/t" },
    DriverConfig: { Name: "local", Options: { o: "x" } },
  };
  const mount = { Type: "volume", Source: "v", Target: "/a", ReadOnly: true, VolumeOptions };
  expect(volumesOf(host({ Mounts: [mount] }))).toEqual([
    {
      ...{ volume: "v", target: "/a", mode: "", readonly: true, copy: false, subpath: "s/t" },
      ...{ driver: "local", options: { o: "x" }, labels: { a: "b" } },
    },
  ]);
});

// As dockerd 28 says it.
test.each([
  [
    "v:/",
    `'v:/': invalid mount config for type "volume": invalid specification: destination can't be '/'`,
  ],
  [
    "v:a",
    `'v:a': invalid mount config for type "volume": invalid mount path: 'a' mount path must be absolute`,
  ],
  [
    "v:/a:rshared",
    `'v:/a:rshared': invalid mount config for type "volume": field BindOptions must not be specified`,
  ],
  ["/a:ro", "'/a:ro'"],
  ["v:/a:b:c", "'v:/a:b:c'"],
  [":/a", "':/a'"],
])("-v %s is refused", (spec, message) => {
  expect(() => host({ Binds: [spec] })).toThrow(`invalid volume specification: ${message}`);
});

test("nocopy is for volumes alone", () => {
  expect(() => host({ Binds: ["/srv:/a:nocopy"] })).toThrow(
    "invalid volume specification: '/srv:/a:nocopy': invalid mount config for type \"bind\": field VolumeOptions must not be specified",
  );
  expect(() => host({ Binds: ["v:/a:nocopy,nocopy"] })).toThrow("invalid mode: nocopy,nocopy");
});

test.each([
  [{ Target: "" }, "field Target must not be empty"],
  [{ Target: "a" }, "invalid mount path: 'a' mount path must be absolute"],
  [{ VolumeOptions: { Subpath: "s" } }, "must not set Subpath when using anonymous volumes"],
  [{ ReadOnly: true }, "must not set ReadOnly mode when using anonymous volumes"],
  [{ Source: "v", VolumeOptions: { Subpath: "../s" } }, "subpath must be a relative path within"],
  [{ Source: "v", VolumeOptions: { Subpath: "a/../../s" } }, "subpath must be a relative path"],
  [{ Source: "v", VolumeOptions: { Subpath: "/s" } }, "subpath must be a relative path within"],
])("a mount %j is refused", (mount, message) => {
  expect(() => host({ Mounts: [{ Type: "volume", Target: "/t", ...mount }] })).toThrow(
    `invalid mount config for type "volume": ${message}`,
  );
});

test("the volumes of other containers are read with their access", () => {
  expect(host({ VolumesFrom: ["one", "two:ro", "three:rw,z"] }).VolumesFrom).toEqual([
    { container: "one", readonly: false },
    { container: "two", readonly: true },
    { container: "three", readonly: false },
  ]);
  for (const [bad, message] of [
    ["", "volumes-from specification cannot be an empty string"],
    ["a:xx", "invalid mode: xx"],
    ["a:nocopy", "invalid mode: nocopy"],
    ["a:ro,rw", "invalid mode: ro,rw"],
  ] as const)
    expect(() => host({ VolumesFrom: [bad] })).toThrow(message);
});
