import { expect, test } from "bun:test";
import { commandAt } from "./help.ts";
import { manPages } from "./man-page.ts";
import { commands } from "./table.ts";

const pages = new Map(manPages("1.2.3").map(({ file, text }) => [file, text]));

test("every command and group that help shows has a page with its name and its options", () => {
  for (const [word, node] of Object.entries(commands)) {
    if (node.kind === "command" && node.hidden) continue;
    expect(pages.get(`thimble-${word}.1`)).toContain(".SH NAME\nthimble\\-");
  }
  expect(pages.get("thimble.1")).toContain(".B run\n");
  const run = pages.get("thimble-container-run.1") ?? "";
  const node = commandAt(["run"]);
  for (const [name, { hidden }] of Object.entries(node?.kind === "command" ? node.flags : {}))
    if (!hidden) expect(run).toContain(`\\-\\-${name.replaceAll("-", "\\-")}\\fR`);
  expect(pages.get("thimble-port-add.1")).toContain("thimble port add web 8080:80");
});

test("no text of the table is taken for a request or an escape of roff", () => {
  const requests = /^\.(TH|SH|TP|B|BR|PP|RS|RE|nf|fi)( |$)/;
  for (const [file, text] of pages)
    for (const line of text.trimEnd().split("\n")) {
      if (/^['.]/.test(line))
        expect(`${file}: ${line}`).toMatch(new RegExp(`^${file}: ${requests.source.slice(1)}`));
      expect(line.replaceAll(/\\(e|-|`|&|f[BIR])/g, "")).not.toContain("\\");
    }
});

test.skipIf(!Bun.which("groff"))("groff finds nothing to complain about [needs groff]", () => {
  const all = ["thimble.1", "thimble-run.1", "thimble-port.1"]
    .map((file) => pages.get(file))
    .join("");
  const { stderr, exitCode } = Bun.spawnSync(["groff", "-man", "-Tutf8", "-ww", "-z"], {
    stdin: Buffer.from(all),
  });
  expect({ exitCode, text: stderr.toString() }).toEqual({ exitCode: 0, text: "" });
});
