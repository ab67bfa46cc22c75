import { expect, test } from "bun:test";
import { parseNetDev } from "./link-counters.ts";

test("the kernel's table of interfaces is read, without the loopback", () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       2    0    0    0     0          0         0      100       2    0    0    0     0       0          0
  eth0:     572       6    1    2    0     0          0         0       84       3    4    5    0     0       0          0
eth1.7:18446744       9    0    0    0     0          0         0        0       0    0    0    0     0       0          0
`;
  expect(parseNetDev(text)).toEqual({
    eth0: {
      received: { bytes: 572, packets: 6, errors: 1, dropped: 2 },
      sent: { bytes: 84, packets: 3, errors: 4, dropped: 5 },
    },
    "eth1.7": {
      received: { bytes: 18446744, packets: 9, errors: 0, dropped: 0 },
      sent: { bytes: 0, packets: 0, errors: 0, dropped: 0 },
    },
  });
});
