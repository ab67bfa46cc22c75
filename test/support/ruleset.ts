import { inside, type Namespace } from "./namespace.ts";

/** Whether nft(8) is there, which writes the kernel's rules as people read them. */
export const hasNft = Bun.which("nft") !== null;

/** The endpoint whose port is shown, under a name that is always the same. */
export const shownPort = { mac: "02:42:0a:07:05:09", name: "veth1a2b3c4d5e6" };

/**
 * The packet filter of a namespace as `nft list ruleset` writes it, without what changes by itself:
 * the order in which things were made, what counters have counted, and ports of other endpoints than
 * `shownPort`, which are made ahead at any time.
 */
export async function ruleset(netns: Namespace): Promise<string> {
  const text = await inside(netns, "nft", "list", "ruleset");
  const port = new RegExp(`"(veth\\w+)" \\. ${shownPort.mac}`).exec(text)?.[1] ?? shownPort.name;
  const plain = text
    .replaceAll(port, shownPort.name)
    .replace(/counter packets \d+ bytes \d+/g, "counter")
    // What lets the bridges pass a policy of iptables: a rule for each, in any order.
    .replace(
      /(?:\t\t.* counter accept comment .*\n)+/g,
      (run) => `${lines(run).sort().join("\n")}\n`,
    );
  const tables = plain.split(/^(?=table )/m).map((table) => {
    const [head = "", ...lines] = table.trimEnd().split("\n");
    const parts = lines.slice(0, -1).join("\n").split("\n\n").map(withSortedElements);
    return `${head}\n${parts.sort().join("\n\n")}\n}\n`;
  });
  return tables.sort().join("");
}

const lines = (text: string) => text.split("\n").filter((line) => line !== "");

/** The elements of a set, or of a map, as the kernel's hash table has them, in the order of the alphabet. */
function withSortedElements(part: string): string {
  return part.replace(/elements = \{([^}]*)\}/, (_, elements: string) => {
    const all = elements.split(",").map((element) => element.trim());
    const shown = all.filter((each) => !each.startsWith('"veth') || each.includes(shownPort.name));
    return `elements = { ${shown.sort().join(",\n\t\t\t     ")} }`;
  });
}
