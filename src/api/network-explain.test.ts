import { expect, test } from "bun:test";
import { testServer } from "./testing.ts";

test("ports are explained with their path, and the way out with its fix", async () => {
  await using server = await testServer();
  const { status, json } = await server.call("GET", "/thimble/v1/networks/explain?of=web");
  expect([status, json]).toEqual([
    200,
    [
      {
        Id: "c1",
        Name: "web",
        Ports: [
          {
            ...{ Port: "80/tcp", HostIp: "0.0.0.0", HostPort: 8080, ReachedBy: "all" },
            ...{ Path: "translated", KeepsAddress: true, Reason: "none filters" },
            Proxy: { ClientsNow: 1, Clients: 2, BytesIn: 3, BytesOut: 4 },
            Translated: { PacketsIn: 5, BytesIn: 6, PacketsOut: 7, BytesOut: 8 },
          },
        ],
        Egress: [{ Network: "bridge", Reason: "a chain drops", Fix: ["nft x"] }],
        Refused: [{ Network: "front", Packets: 9, Bytes: 10 }],
      },
    ],
  ]);
  expect(server.engine.calls).toContain('explain networks "web"');
});
