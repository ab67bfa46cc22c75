import {
  type NetlinkRequest,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_REPLACE,
} from "./netlink.ts";

/** linux/rtnetlink.h, linux/pkt_sched.h */
const RTM_NEWQDISC = 36;
const RTM_DELQDISC = 37;
const TC_H_ROOT = 0xffffffff;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
/** A tick of the packet scheduler (PSCHED_SHIFT). */
const TICK_NS = 64;
/** Packets that wait at most, as tc(8) has it. */
const NETEM_LIMIT = 1000;

/** struct tcmsg for the queue of an interface that all it sends goes through. */
function rootOf(index: number): NetlinkWriter {
  return new NetlinkWriter().u32(0).u32(index).u32(0).u32(TC_H_ROOT).u32(0);
}

/** Delays what an interface sends (netem, tc-netem(8)), instead of what its queue did before; at most some minutes. */
export function delayPackets(index: number, milliseconds: number): NetlinkRequest {
  const body = rootOf(index)
    .text(TCA_KIND, "netem")
    // struct tc_netem_qopt: latency, limit, loss, gap, duplicate, jitter
    .attribute(TCA_OPTIONS, (w) =>
      w
        .u32(Math.round((milliseconds * 1e6) / TICK_NS))
        .u32(NETEM_LIMIT)
        .u32(0)
        .u32(0)
        .u32(0)
        .u32(0),
    )
    .done();
  return {
    type: RTM_NEWQDISC,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    body,
    verb: "delay what is sent by the interface with index",
    about: String(index),
  };
}

/** Gives an interface the queue back that it has by itself; refused (`not_found`, `invalid`) when it has that. */
export function removeQdisc(index: number): NetlinkRequest {
  return {
    type: RTM_DELQDISC,
    flags: NLM_F_ACK,
    body: rootOf(index).done(),
    verb: "remove the queue of the interface with index",
    about: String(index),
  };
}
