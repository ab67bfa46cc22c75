import { expect, test } from "bun:test";
import { explainPort } from "./port-explanation.ts";

const port = (hostIp: string) =>
  ({ protocol: "tcp", containerPort: 80, hostIp, hostPort: 8080 }) as const;
const row = { address: "10.0.0.2", address6: "", ports: [], passesInput: false };
const input = "the chain in of the table inet fw drops what comes in";
const forward = {
  reason: "the chain FORWARD of the table ip filter drops",
  blocksTranslated: true,
  blocking: () => [],
};

test("each port has its path, a reason for it, and those who reach it", () => {
  expect(explainPort(row, port("127.0.0.1"), {})).toMatchObject({
    path: "proxy",
    reachedBy: "this host alone",
  });
  expect(explainPort(row, port("0.0.0.0"), {})).toMatchObject({
    path: "translated",
    reachedBy: "other machines, this host and its containers",
  });
  expect(explainPort(row, port("::"), {})).toMatchObject({
    path: "proxy",
    reason: "the container has no address of IPv6",
  });
  expect(explainPort(row, port("192.0.2.5"), { input })).toMatchObject({
    path: "proxy",
    reason: input,
    reachedBy: "whoever reaches 192.0.2.5, as far as the host's firewall lets them in",
  });
  const through = { ...row, passesInput: true };
  expect(explainPort(through, port("0.0.0.0"), { input })).toMatchObject({
    path: "translated",
    reachedBy: "other machines, this host and its containers",
  });
  expect(explainPort(through, port("0.0.0.0"), { input, forward })).toMatchObject({
    path: "proxy",
    reason: forward.reason,
  });
  // firewalld accepts what is translated.
  const zone = { ...forward, blocksTranslated: false };
  expect(explainPort(through, port("0.0.0.0"), { input, forward: zone })).toMatchObject({
    path: "translated",
  });
  expect(explainPort(row, port("0.0.0.0"), { input, forward: zone })).toMatchObject({
    path: "proxy",
    reason: input,
  });
});
