import { type NetlinkRequest, NetlinkWriter, NLM_F_ACK } from "./netlink.ts";
import { ipv4Bytes } from "./rtnetlink.ts";

/** linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h */
const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_DELETE = 2;
const AF_INET = 2;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_PROTO_NUM = 1;
const CTA_PROTO_SRC_PORT = 2;
const CTA_FILTER = 25;
const CTA_FILTER_ORIG_FLAGS = 1;
const CTA_FILTER_REPLY_FLAGS = 2;
/** net/netfilter/nf_internals.h: address and port at which the answer begins, and the protocol. */
const BY_SOURCE = (1 << 0) | (1 << 3) | (1 << 4);
const IPPROTO_UDP = 17;

/** The request to forget all UDP flows that a port of an IPv4 address answers; before Linux 6.11 it is refused. */
export function forgetUdpFlows(address: string, port: number): NetlinkRequest {
  const body = new NetlinkWriter()
    .u8(AF_INET)
    .u8(0)
    .be16(0)
    .nested(CTA_TUPLE_REPLY, (tuple) => {
      tuple
        .nested(CTA_TUPLE_IP, (ip) =>
          ip.attribute(CTA_IP_V4_SRC, (w) => w.bytes(ipv4Bytes(address))),
        )
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
