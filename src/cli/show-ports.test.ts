import { expect, test } from "bun:test";
import { showPorts } from "./show-ports.ts";

const tcp = (PrivatePort: number, PublicPort?: number, IP?: string) => ({
  ...(IP !== undefined && { IP }),
  PrivatePort,
  ...(PublicPort !== undefined && { PublicPort }),
  Type: "tcp",
});

/** As docker CLI 28.2.2 shows the same. */
test.each([
  ["", []],
  ["80/tcp", [tcp(80)]],
  ["80-81/tcp, 90/tcp", [tcp(90), tcp(81), tcp(80)]],
  [
    "0.0.0.0:8000-8001->8000-8001/tcp, [::]:8000-8001->8000-8001/tcp",
    [
      ...[tcp(8000, 8000, "0.0.0.0"), tcp(8000, 8000, "::")],
      ...[tcp(8001, 8001, "0.0.0.0"), tcp(8001, 8001, "::")],
    ],
  ],
  [
    "99/tcp, 0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 127.0.0.1:8081->81/tcp",
    [...[tcp(99), tcp(80, 8080, "0.0.0.0"), tcp(80, 8080, "::")], tcp(81, 8081, "127.0.0.1")],
  ],
])("%s", (want, ports) => {
  expect(showPorts(ports)).toBe(want);
});
