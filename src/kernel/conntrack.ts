import { type NetlinkRequest, NetlinkWriter, NLM_F_ACK } from "./netlink.ts";
import { ipBytes } from "./rtnetlink.ts";

/** linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h */
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = 2;
/** linux/socket.h, linux/netfilter/nfnetlink_conntrack.h, by the bytes of an address. */
const byLength = { 4: { family: 2, source: 1 }, 16: { family: 10, source: 3 } } as const;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** net/netfilter/nf_internals.h: address and port at which the answer begins, and the protocol. */
const BY_SOURCE = (1 << 0) | (1 << 3) | (1 << 4);
const IPPROTO_UDP = 17;

/** The request to forget all UDP flows that a port of an address answers; before Linux 6.11 it is refused. */
export function forgetUdpFlows(address: string, port: number): NetlinkRequest {
  const bytes = ipBytes(address);
  const { family, source } = byLength[bytes.byteLength === 4 ? 4 : 16];
  const body = new NetlinkWriter()
    .u8(family)
    .u8(0)
    .be16(0)
    .nested(CTA_TUPLE_REPLY, (tuple) => {
      tuple
        .nested(CTA_TUPLE_IP, (ip) => ip.attribute(source, (w) => w.bytes(bytes)))
        .nested(CTA_TUPLE_PROTO, (protocol) =>
          protocol
            .attribute(CTA_PROTO_NUM, (w) => w.u8(IPPROTO_UDP))
            .attribute(CTA_PROTO_SRC_PORT, (w) => w.be16(port)),
        );
    })
    .nested(CTA_FILTER, (filter) => {
      filter.number(CTA_FILTER_ORIG_FLAGS, 0).number(CTA_FILTER_REPLY_FLAGS, BY_SOURCE);
    });
  return {
    type: (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_DELETE,
    flags: NLM_F_ACK,
    body: body.done(),
    verb: "forget the UDP flows of",
    about: `${address}:${port}`,
  };
}
