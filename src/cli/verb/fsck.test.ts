import { describe, expect, test } from "bun:test";
import type { FsckFinding } from "#wire";
import { runCli } from "../run-cli.ts";
import { testOptions } from "../testing.ts";

const finding = (change: Partial<FsckFinding>): FsckFinding => ({
  kind: "blob-corrupt",
  about: "sha256:1",
  images: [],
  message: "blob sha256:1 is damaged",
  repaired: false,
  ...change,
});

async function fsck(findings: readonly FsckFinding[], ...flags: string[]) {
  const { options, stdout } = testOptions();
  const local = {
    ...options.local,
    fsck: async ({ onFinding }: { onFinding: (finding: FsckFinding) => void }) => {
      for (const each of findings) onFinding(each);
      return { blobs: 1, bytes: 1000, layers: 2 };
    },
  };
  const args = ["system", "fsck", "--data-root", "/nowhere", ...flags];
  return { status: await runCli(args, { ...options, local }), text: stdout.text };
}

describe("the findings of a check", () => {
  test("nothing found", async () => {
    expect(await fsck([])).toEqual({
      status: 0,
      text: "1 blob (1kB) and 2 layers checked: all is well\n",
    });
  });

  test("lost data is told from needless data, and a finding of many images is short", async () => {
    const images = ["a:1", "b:1", "c:1", "d:1", "e:1", "f:1", "g:1"];
    const { status, text } = await fsck([
      finding({ images }),
      finding({ kind: "leftover", message: "w-1 is a half received blob" }),
      finding({ kind: "blob-orphan", message: "removed", repaired: true }),
    ]);
    expect(status).toBe(1);
    expect(text.split("\n")).toEqual([
      "DAMAGED   blob sha256:1 is damaged",
      "          of a:1, b:1, c:1, d:1, e:1 and 2 more",
      "needless  w-1 is a half received blob",
      "repaired  removed",
      "1 blob (1kB) and 2 layers checked: 3 findings, 1 repaired",
      "",
    ]);
  });

  test("all repaired is success; as JSON it is one document", async () => {
    const repaired = finding({ repaired: true });
    expect(await fsck([repaired])).toMatchObject({
      status: 0,
      text: expect.stringContaining("1 finding, all repaired"),
    });
    expect(JSON.parse((await fsck([repaired], "--json")).text)).toEqual({
      ok: true,
      blobs: 1,
      bytes: 1000,
      layers: 2,
      findings: [repaired],
    });
  });
});
