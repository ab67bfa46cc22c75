import { openChannel } from "./channel.ts";
import { Fd } from "./fd.ts";
import { listMessages, NETLINK_ROUTE, openSocket } from "./netlink.ts";
import {
  type InterfaceAddress,
  parseAddress,
  parseRoute,
  type Route,
  RTM_DELADDR,
  RTM_NEWROUTE,
} from "./rtnetlink.ts";

/** linux/rtnetlink.h: RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE and the same of IPv6 as bits. */
const GROUPS = (1 << 4) | (1 << 6) | (1 << 8) | (1 << 10);

/** What other programs did to the addresses and routes of the host, in the order of the kernel's notices. */
export interface RouteNotices {
  /** Taken from their interfaces, or gone with them. */
  readonly lostAddresses: readonly InterfaceAddress[];
  readonly newRoutes: readonly Route[];
}

/**
 * Calls for the addresses that are lost and the routes that are added in this process's
 * network namespace, by others than this process, until disposed. Addresses that go with an
 * interface are reported also when this process removed it. When notices were lost because there
 * were too many, `onLost` is called and no more come.
 */
export function watchRoutes(
  onNotices: (notices: RouteNotices) => void,
  onLost: () => void,
): Disposable {
  const channel = openChannel(new Fd(openSocket(NETLINK_ROUTE, GROUPS)));
  channel.onData((bytes) => {
    const others = [...listMessages(Buffer.from(bytes))].filter(({ isOwn }) => !isOwn);
    const bodies = (type: number) =>
      others.flatMap((notice) => (notice.type === type ? [notice.body] : []));
    onNotices({
      lostAddresses: bodies(RTM_DELADDR).map(parseAddress),
      newRoutes: bodies(RTM_NEWROUTE).map(parseRoute),
    });
  });
  channel.onEnd(onLost);
  return channel;
}
