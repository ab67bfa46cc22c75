import {
  createBridge,
  createVeth,
  type Fd,
  Nftables,
  NftBatch,
  newNetworkNamespace,
  nft,
  RouteTable,
  setLinkUp,
} from "#kernel";
import { attempt, type Finding, finding } from "./finding.ts";
import { readOr } from "./kernel-checks.ts";

/** Tries everything for real in a network namespace that is gone afterwards. */
export async function networkFindings(): Promise<Finding[]> {
  const made = await attempt(() => newNetworkNamespace());
  const first = finding("Network", {
    name: "network namespaces",
    ok: "value" in made,
    needed: true,
    found: "value" in made ? "can be made" : made.failure,
    without: "containers cannot have a network of their own",
    fix: "run as root, on a kernel with CONFIG_NET_NS",
  });
  if (!("value" in made)) return [first];
  using netns = made.value;
  return [first, ...(await insideFindings(netns)), forwarding()];
}

async function insideFindings(netns: Fd): Promise<Finding[]> {
  const routes = new RouteTable({ netns });
  const bridge = await attempt(() =>
    routes.apply(createBridge({ name: "probe0", mac: "02:00:00:00:00:01" })),
  );
  const veth = await attempt(() => probeVeth(routes));
  const filter = await attempt(() => new Nftables({ netns }).commit(probeRules()));
  const outcome = (result: { failure: string } | { value: unknown }) =>
    "value" in result ? "can be made" : result.failure;
  return [
    finding("Network", {
      name: "bridges",
      ok: "value" in bridge,
      needed: true,
      found: outcome(bridge),
      without: "no default network; --network host and none work",
      fix: "modprobe bridge",
    }),
    finding("Network", {
      name: "veth pairs",
      ok: "value" in veth,
      needed: true,
      found: outcome(veth),
      without: "no default network; --network host and none work",
      fix: "modprobe veth",
    }),
    finding("Network", {
      name: "nftables with NAT",
      ok: "value" in filter,
      needed: true,
      found: outcome(filter),
      without: "containers cannot reach anything outside",
      fix: "modprobe nf_tables nft_masq nft_ct nft_chain_nat",
    }),
  ];
}

async function probeVeth(routes: RouteTable): Promise<void> {
  const bridge = await routes.link("probe0");
  using peer = await newNetworkNamespace();
  await routes.apply(
    createVeth({
      name: "probe1",
      master: bridge?.index ?? 0,
      peer: { name: "eth0", mac: "02:00:00:00:00:02", netns: peer },
    }),
    setLinkUp("probe1"),
  );
}

function probeRules(): NftBatch {
  const table = "thimble-probe";
  return new NftBatch()
    .addTable(table)
    .addBaseChain({ table, name: "postrouting", type: "nat", hook: "postrouting", priority: 100 })
    .addBaseChain({ table, name: "forward", type: "filter", hook: "forward", priority: 0 })
    .addRule({ table, chain: "postrouting", expressions: [nft.masquerade()] })
    .addRule({
      table,
      chain: "forward",
      expressions: [nft.ctState("established", "related"), nft.accept()],
    });
}

function forwarding(): Finding {
  const on = readOr("/proc/sys/net/ipv4/ip_forward", "0") === "1";
  return finding("Network", {
    name: "IPv4 forwarding",
    ok: true,
    found: on ? "on" : "off; the engine switches it on and drops what is not for containers",
    without: "",
    fix: "",
  });
}
