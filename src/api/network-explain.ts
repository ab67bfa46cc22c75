import type { Engine } from "#engine";
import type { NetworkExplanation } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Route } from "./router.ts";

type Explained = Awaited<ReturnType<Engine["networks"]["explain"]>>[number];

/** thimble's own: who reaches published ports and how, and what drops what containers send. */
export function networkExplainRoutes({ engine }: ApiContext): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: "/thimble/v1/networks/explain",
      handle: async (exchange) => {
        const explained = await engine.networks.explain(exchange.query.text("of") ?? "");
        exchange.sendJson(200, explained.map(wireExplanation));
      },
    },
  ];
}

function wireExplanation({
  container,
  name,
  ports,
  egress,
  refused,
}: Explained): NetworkExplanation {
  return {
    Id: container,
    Name: name,
    Ports: ports.map(
      ({ protocol, containerPort, hostIp, hostPort, traffic, translated, ...port }) => ({
        Port: `${containerPort}/${protocol}`,
        HostIp: hostIp,
        HostPort: hostPort,
        ReachedBy: port.reachedBy,
        Path: port.path,
        KeepsAddress: port.path === "translated",
        Reason: port.reason,
        Proxy: traffic
          ? {
              ClientsNow: traffic.clientsNow,
              Clients: Number(traffic.clients),
              BytesIn: Number(traffic.bytesIn),
              BytesOut: Number(traffic.bytesOut),
            }
          : null,
        Translated: translated
          ? {
              PacketsIn: Number(translated.received.packets),
              BytesIn: Number(translated.received.bytes),
              PacketsOut: Number(translated.sent.packets),
              BytesOut: Number(translated.sent.bytes),
            }
          : null,
      }),
    ),
    Egress: egress.map(({ network, reason, fix }) => ({
      Network: network,
      Reason: reason,
      Fix: fix,
    })),
    Refused: refused.map(({ network, packets, bytes }) => ({
      Network: network,
      Packets: Number(packets),
      Bytes: Number(bytes),
    })),
  };
}
