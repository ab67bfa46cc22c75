import { defined } from "#base";
import { listAttributes, readAttributes, readText } from "./netlink.ts";

/** linux/netfilter/nf_tables.h: NFT_META_IIFNAME, NFT_META_OIFNAME */
const names: Readonly<Record<number, "iifname" | "oifname">> = { 6: "iifname", 7: "oifname" };
const NFT_CMP_EQ = 0;
/** linux/netfilter.h */
const NF_ACCEPT = 1;
const none = Buffer.alloc(0);

/** What rules of any program say about the way of a packet, as far as it is read here. */
export interface RuleMeaning {
  /** The interface that packets come in by, as "eth0", or "veth*" for all that begin so; absent where the rule does not ask, or asks for several. */
  readonly iifname?: string;
  /** The same of the one that they leave by. */
  readonly oifname?: string;
  /** The chain that they go on to. */
  readonly target?: string;
  /** Whether they are accepted. */
  readonly accepts: boolean;
  /** Whether it asks for anything but these names. */
  readonly asksMore: boolean;
}

/** Reads a rule's list of expressions (NFTA_RULE_EXPRESSIONS). */
export function readMeaning(expressions: Buffer): RuleMeaning {
  let meaning: RuleMeaning = { accepts: false, asksMore: false };
  let loaded: "iifname" | "oifname" | undefined;
  for (const [, element] of listAttributes(expressions)) {
    const parts = readAttributes(element);
    const data = readAttributes(parts.get(2) ?? none);
    const expression = readText(parts.get(1));
    const asked = expression === "cmp" ? loaded : undefined;
    loaded = expression === "meta" ? names[data.get(2)?.readUInt32BE() ?? 0] : undefined;
    if (expression === "immediate") meaning = { ...meaning, ...readVerdict(data) };
    else if (asked && data.get(2)?.readUInt32BE() === NFT_CMP_EQ)
      meaning = { ...meaning, [asked]: readName(readAttributes(data.get(3) ?? none).get(1)) };
    else if (loaded === undefined && expression !== "counter")
      meaning = { ...meaning, asksMore: true };
  }
  return meaning;
}

/** Names end in NUL; bytes without one are how all begin that are meant. */
function readName(value: Buffer = none): string {
  return value.includes(0) ? readText(value) : `${readText(value)}*`;
}

function readVerdict(data: Map<number, Buffer>): Pick<RuleMeaning, "target" | "accepts"> {
  const verdict = readAttributes(readAttributes(data.get(2) ?? none).get(2) ?? none);
  const target = verdict.get(2);
  const accepts = verdict.get(1)?.readUInt32BE() === NF_ACCEPT;
  return { accepts, ...defined({ target: target && readText(target) }) };
}
