import {
  type NetlinkRequest,
  NetlinkWriter,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_EXCL,
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
const TC_LINKLAYER_ETHERNET = 1;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
/** Some full frames of Ethernet. */
const MIN_BURST = 16_384;

/** The handles of queues that are made here, so that one is not taken for the other: "1:" and "2:" of tc(8). */
const handles = { rate: 1 << 16, delay: 2 << 16 } as const;

/** struct tcmsg for the queue of an interface that all it sends goes through. */
function rootOf(index: number, queue: keyof typeof handles): NetlinkWriter {
  return new NetlinkWriter().u32(0).u32(index).u32(handles[queue]).u32(TC_H_ROOT).u32(0);
}

/** Delays what an interface sends (netem, tc-netem(8)), at most some minutes; `exists` where it has a queue that was made for it. */
export function delayPackets(index: number, milliseconds: number): NetlinkRequest {
  const body = rootOf(index, "delay")
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
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL,
    body,
    verb: "delay what is sent by the interface with index",
    about: String(index),
  };
}

/** struct tc_ratespec of a link of Ethernet; its rate is told apart, in 64 bits. */
function writeRate(writer: NetlinkWriter, bytesPerSecond: number): NetlinkWriter {
  const rate = Math.min(bytesPerSecond, 0xffffffff);
  return writer.u8(0).u8(TC_LINKLAYER_ETHERNET).u16(0).u16(0).u16(0).u32(rate);
}

/**
 * Limits what an interface sends (tbf, tc-tbf(8)), instead of a limit before: so many bytes per second on
 * average, a hundredth of a second's at once, and a tenth of a second's that wait; what comes then is dropped.
 */
export function limitRate(index: number, bytesPerSecond: number): NetlinkRequest {
  const burst = Math.max(MIN_BURST, Math.round(bytesPerSecond / 100));
  const limit = Math.min(burst + Math.max(MIN_BURST, Math.round(bytesPerSecond / 10)), 0x7fffffff);
  const body = rootOf(index, "rate")
    .text(TCA_KIND, "tbf")
    .nested(TCA_OPTIONS, (options) => {
      // struct tc_tbf_qopt: rate, peakrate, limit, buffer, mtu
      options.attribute(TCA_TBF_PARMS, (w) =>
        writeRate(writeRate(w, bytesPerSecond), 0).u32(limit).u32(0).u32(0),
      );
      options.attribute(TCA_TBF_RATE64, (w) => w.bytes(nativeU64(BigInt(bytesPerSecond))));
      options.number(TCA_TBF_BURST, Math.min(burst, 0x7fffffff));
    })
    .done();
  return {
    type: RTM_NEWQDISC,
    flags: NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
    body,
    verb: "limit what is sent by the interface with index",
    about: String(index),
  };
}

function nativeU64(value: bigint): Uint8Array {
  return new Uint8Array(new BigUint64Array([value]).buffer);
}

/** Takes a delay back; refused (`not_found`, `invalid`) when there is none. */
export function removeDelay(index: number): NetlinkRequest {
  return {
    type: RTM_DELQDISC,
    flags: NLM_F_ACK,
    body: rootOf(index, "delay").done(),
    verb: "take the delay back of the interface with index",
    about: String(index),
  };
}
