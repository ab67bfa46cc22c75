import { expect, test } from "bun:test";
import type { ImageSummary } from "#wire";
import { imageRows, treeLines } from "./images.ts";

const image: ImageSummary = {
  Containers: 0,
  Created: 1_700_000_000,
  Id: `sha256:${"1".repeat(64)}`,
  Labels: null,
  ParentId: "",
  RepoDigests: ["a/b@sha256:x", "a/b@sha256:y", "c@sha256:z"],
  RepoTags: ["a/b:1", "d:2"],
  SharedSize: -1,
  Size: 10,
};

const shown = (digests: boolean) =>
  imageRows(image, { trunc: true, digests }).map((row) => [row.Repository, row.Tag, row.Digest]);

test("a line for each name, and with digests for each digest of its repository", () => {
  expect(shown(false)).toEqual([
    ["a/b", "1", "sha256:x"],
    ["d", "2", "<none>"],
  ]);
  expect(shown(true)).toEqual([
    ["a/b", "1", "sha256:x"],
    ["a/b", "1", "sha256:y"],
    ["d", "2", "<none>"],
    ["c", "<none>", "sha256:z"],
  ]);
});

test("a tree shows an image once, under all its names, and whether it is used", () => {
  const older = { ...image, Created: 1, RepoTags: [], Size: 2_000_000, Containers: 2 };
  expect(treeLines([older, image])).toEqual([
    "IMAGE        ID             DISK USAGE   EXTRA",
    "a/b:1",
    "d:2          111111111111   10B",
    "<untagged>   111111111111   2MB          U",
  ]);
});
