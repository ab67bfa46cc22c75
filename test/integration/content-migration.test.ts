import { expect, test } from "bun:test";
import { parseReference } from "#image";
import { openTestContent } from "../support/content.ts";
import { makeImage, sourceOf } from "../support/content-images.ts";
import { tarOf } from "../support/tree.ts";

/** The tables of version 0.1, when a configuration had one manifest. */
const before = [
  "CREATE TABLE image_blob (image TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (image, digest)) STRICT, WITHOUT ROWID",
  "CREATE INDEX image_blob_digest ON image_blob (digest)",
  "INSERT INTO image_blob SELECT image_manifest.image, manifest_blob.digest FROM manifest_blob JOIN image_manifest ON image_manifest.digest = manifest_blob.manifest",
  "DROP TABLE manifest_blob",
  "DROP TABLE image_manifest",
  "ALTER TABLE image_name DROP COLUMN manifest",
  "ALTER TABLE image DROP COLUMN created",
  "ALTER TABLE image DROP COLUMN labels",
  "ALTER TABLE image DROP COLUMN parent",
  "UPDATE state_migration SET step = 7 WHERE module = 'content'",
];

test("a data root of version 0.1 opens with its images, names and labels, and loses none of it", async () => {
  const made = makeImage({
    layers: [tarOf([{ name: "file", content: "x" }])],
    config: { config: { Labels: { a: "b" } } },
  });
  const data = await openTestContent();
  const { manifestBytes } = made;
  const references = ["app:1", "app:2"].map(parseReference);
  await data.content.pull({ manifestBytes, references, source: sourceOf([made]) });
  const listed = data.content.images.list();
  for (const sql of before) data.state.run(sql);
  await using again = await data.reopen();
  expect(again.content.images.list()).toEqual(listed);
  expect(listed[0]).toMatchObject({ labels: { a: "b" }, created: 1714979289 });
  expect(again.content.resolve("app:2").digest).toBe(made.digest);
  expect(again.content.resolve(made.digest).id).toBe(made.id);
  expect((await again.content.fsck({ repair: false })).findings).toEqual([]);
  for (const name of ["app:1", "app:2"]) {
    await again.content.images.remove(name, { force: false, usersOf: () => [] });
  }
  expect(await again.leftovers()).toEqual({ blobs: 0, snapshots: 0, loose: [] });
});
