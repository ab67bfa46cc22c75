import { logOptionsSchema, type PortBindingsBody, portsChangeSchema } from "#container";
import type { Container } from "#engine";
import type { PortsChangeResponse } from "#wire";
import { wirePorts } from "./container-inspect.ts";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";
import { containerOf } from "./wording.ts";

/** thimble's own: ports and options of the log that change while a container runs. */
export function containerChangeRoutes({ engine }: ApiContext): readonly Route[] {
  const { containers } = engine;
  return [
    {
      method: "POST",
      pattern: "/thimble/v1/containers/:id/ports",
      handle: (exchange) => change(exchange, (...to) => containers.addPorts(...to)),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/containers/:id/ports/remove",
      handle: (exchange) => change(exchange, (...to) => containers.removePorts(...to)),
    },
    {
      method: "POST",
      pattern: "/thimble/v1/containers/:id/log-options",
      handle: async (exchange) => {
        const { id } = containerOf(engine, exchange.param("id"));
        const { LogOptions } = await exchange.json(logOptionsSchema, { required: true });
        await containers.changeLogOptions(id, LogOptions);
        exchange.sendEmpty(204);
      },
    },
  ];

  async function change(
    exchange: Exchange,
    work: (ref: string, bindings: PortBindingsBody) => Promise<Container["ports"]>,
  ): Promise<void> {
    const { id } = containerOf(engine, exchange.param("id"));
    const { PortBindings } = await exchange.json(portsChangeSchema);
    const answer: PortsChangeResponse = { Ports: wirePorts(await work(id, PortBindings ?? {})) };
    exchange.sendJson(200, answer);
  }
}
