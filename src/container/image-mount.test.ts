import { expect, test } from "bun:test";
import { ociImage } from "./image-mount.ts";
import { parseMounts } from "./mounts.ts";

const image = { Type: "image", Source: "tools:1", Target: "/x/" };

test("a mount of type image has its part", () => {
  const read = (more: object) => parseMounts([{ ...image, ...more }]).images;
  expect(read({})).toEqual([{ image: "tools:1", target: "/x", subpath: "" }]);
  expect(read({ ImageOptions: { Subpath: "a/b" } })).toMatchObject([{ subpath: "a/b" }]);
});

// As dockerd 28 says it.
test.each([
  [{ Target: "" }, "field Target must not be empty"],
  [{ Source: "" }, "field Source must not be empty"],
  [{ Target: "x" }, "invalid mount path: 'x' mount path must be absolute"],
  [{ Target: "/" }, "invalid specification: destination can't be '/'"],
  [{ ImageOptions: { Subpath: "../a" } }, "subpath must be a relative path within the volume"],
  [{ ImageOptions: { Subpath: "/a" } }, "subpath must be a relative path within the volume"],
])("a mount of type image with %j is refused", (more, why) => {
  expect(() => parseMounts([{ ...image, ...more }])).toThrow(
    `invalid mount config for type "image": ${why}`,
  );
});

test("options of other types are refused", () => {
  for (const field of ["BindOptions", "VolumeOptions", "TmpfsOptions"])
    expect(() => parseMounts([{ ...image, [field]: {} }])).toThrow(
      `${field} must not be specified on mount type "image"`,
    );
  expect(() =>
    parseMounts([{ Type: "tmpfs", Target: "/x", ImageOptions: { Subpath: "" } }]),
  ).toThrow('ImageOptions must not be specified on mount type "tmpfs"');
});

test("a part is bound read-only, and only itself", () => {
  expect(ociImage("/x", { source: "/proc/1/fd/7" })).toEqual({
    ...{ destination: "/x", type: "bind", source: "/proc/1/fd/7" },
    options: ["bind", "ro", "rprivate"],
  });
});
