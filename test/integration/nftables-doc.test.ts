/**
 * docs/nftables.md shows the rules that each kind of network makes as the kernel has them. With
 * UPDATE=1 its rules are written anew.
 */
import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Scope } from "#base";
import { makeHost } from "../support/lan.ts";
import { enter } from "../support/namespace.ts";
import { hasNft, ruleset } from "../support/ruleset.ts";

const document = join(import.meta.dirname, "../../docs/nftables.md");

/** The maps and chains of a ruleset by "TABLE: NAME". */
function partsOf(text: string): ReadonlyMap<string, string> {
  const tables = text.split(/^(?=table )/m);
  const parts = tables.flatMap((table) => {
    const [head = "", ...lines] = table.trimEnd().split("\n");
    const name = head.replace(/^table (.*) \{$/, "$1");
    const all = lines.slice(0, -1).join("\n").split("\n\n");
    return all.map((part) => [`${name}: ${/^\t\S+ (\S+) \{/.exec(part)?.[1]}`, part] as const);
  });
  return new Map(parts);
}

/** A block of rules names the parts that it shows, so that the page has them in the order that reads best. */
const block = /<!-- ([^>]+): ([^>]+) -->\n\n```\n(.*?)```\n/gs;

test.skipIf(!hasNft)(
  "docs/nftables.md shows the rules that there are [needs nft]",
  async () => {
    await using scope = new Scope();
    const host = await makeHost(scope, "0");
    const script = `${import.meta.dirname}/../support/ruleset-host.ts`;
    const command = enter(host.netns, process.execPath, script, host.left.gateway);
    const child = Bun.spawn(command, { stdin: "pipe", stdout: "pipe" });
    scope.defer(async () => {
      child.stdin.end();
      expect(await child.exited).toBe(0);
    });
    await child.stdout.getReader().read();
    const parts = partsOf(await ruleset(host.netns));
    const shown = new Set<string>();
    const before = readFileSync(document, "utf8");
    const after = before.replace(block, (_, table: string, names: string) => {
      const found = names.split(" ").map((name) => {
        shown.add(`${table}: ${name}`);
        return parts.get(`${table}: ${name}`) ?? `(${name} is not there)`;
      });
      const rules = found.join("\n\n").replace(/^\t/gm, "").replaceAll("\t", "    ");
      return `<!-- ${table}: ${names} -->\n\n\`\`\`\n${rules}\n\`\`\`\n`;
    });
    if (process.env.UPDATE === "1") writeFileSync(document, after);
    else expect(before).toBe(after);
    expect([...parts.keys()].filter((part) => !shown.has(part))).toEqual([]);
  },
  120_000,
);
