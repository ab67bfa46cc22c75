import { listAttributes, readAttributes, readText } from "./netlink.ts";

/** linux/netfilter/nf_tables.h: NFT_META_IIFNAME */
const IIFNAME = 6;
const none = Buffer.alloc(0);

/** What rules of any program say about the way of a packet, as far as it is read here. */
export interface RuleMeaning {
  /** The interface that packets come in by; absent where the rule does not ask, or asks for several. */
  readonly iifname?: string;
  /** The chain that they go on to. */
  readonly target?: string;
}

/** Reads a rule's list of expressions (NFTA_RULE_EXPRESSIONS). */
export function readMeaning(expressions: Buffer): RuleMeaning {
  let meaning: RuleMeaning = {};
  let loadsName = false;
  for (const [, element] of listAttributes(expressions)) {
    const parts = readAttributes(element);
    const data = readAttributes(parts.get(2) ?? none);
    const name = readText(parts.get(1));
    if (name === "cmp" && loadsName) {
      const value = readAttributes(data.get(3) ?? none).get(1);
      meaning = { ...meaning, iifname: readText(value) };
    }
    loadsName = name === "meta" && data.get(2)?.readUInt32BE() === IIFNAME;
    if (name !== "immediate") continue;
    const verdict = readAttributes(readAttributes(data.get(2) ?? none).get(2) ?? none);
    const target = verdict.get(2);
    if (target) meaning = { ...meaning, target: readText(target) };
  }
  return meaning;
}
